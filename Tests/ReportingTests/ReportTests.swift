import Foundation
import Testing

import Reporting

@Suite struct ReportTests {
  @Test func `a report has the curves, the phases and the configuration`() throws {
    let page = try RunFixture([
      "metrics.jsonl": log(steps: 30), "config.yaml": "name: tulips\ntraining:\n  epochs: 3\n",
      "env.json": #"{"ranks":2,"command":["lockstep","train","it's.yaml"]}"#,
      "run.json": #"{"model":"1234 parameters, layout ab"}"#,
    ]).page
    for text in [
      "<h1>tulips</h1>", "Loss", "Gradient norm", "Memory of rank 0", "rank 1", "training.epochs",
      "1,234 parameters", "lockstep train &#39;it&#39;\\&#39;&#39;s.yaml&#39;", "2 ranks",
      "75.00 %",
    ] {
      #expect(page.contains(text), "\(text)")
    }
  }

  @Test func `a report names no other file and no address`() throws {
    let page = try RunFixture(["metrics.jsonl": log(steps: 30)]).page
    #expect(!page.contains("http://") && !page.contains("https://"))
    #expect(page.matches(of: /(?:src|href)="([^"]*)"/).allSatisfy { $0.1.hasPrefix("data:") })
    #expect(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"))
  }

  @Test func `what files say is text, never markup`() throws {
    let evil = "<script>alert(1)</script>"
    let page = try RunFixture([
      "config.yaml": "name: \"\(evil)\"\ndata:\n  path: '\(evil)'\n",
      "env.json": #"{"host":"\#(evil)","\#(evil)":1,"command":["\#(evil)"]}"#,
      "attempts.jsonl": """
      {"event":"start","time":1,"step":0,"ranks":1,"host":"\(evil)"}
      {"event":"end","time":2,"step":0,"status":"\(evil)","reason":"\(evil)\\"' onload="}
      """,
    ]).page
    #expect(!page.contains("<script>alert"))
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(page.matches(of: /<script/).count == 1)
  }

  @Test(arguments: [0, 1, 2, 500]) func `a log of any length gives a page`(steps: Int) throws {
    let page = try RunFixture(["metrics.jsonl": log(steps: steps)]).page
    #expect(page.contains("</html>"))
    #expect(!page.contains("nan") && !page.contains("inf\""))
    #expect((steps == 0) == page.contains("No metrics are recorded yet."))
  }

  @Test func `hostile numbers give a page without numbers that no picture has`() throws {
    let values = ["NaN", "Infinity", "-Infinity", "1e308", "-1e308", "1e-320", "0", "-0.0"]
    var log = ""
    for (step, value) in (values + values.reversed()).enumerated() {
      let number = Double(value)!.isFinite ? value : "\"\(value)\""
      log += """
        {"kind":"step","step":\(step * step * 1_000_000_000),"epoch":1,"loss":\(number),\
        "learningRate":\(number),"gradientNorm":\(number),"memory":\(number),"time":\(number),\
        "elapsed":\(number),"samplesPerSecond":\(number)}
        {"kind":"epoch","step":\(step),"epoch":\(Int.max),"seconds":\(number),\
        "phases":{"data":[\(number)],"compute":[1]}}
        {"kind":"eval","step":\(step),"epoch":1,"loss":\(number),"accuracy":\(number)}

        """
    }
    let page = try RunFixture(["metrics.jsonl": log]).page
    for match in page.matches(of: /(?:points|x1|x2|y1|y2|cx|cy|style)="([^"]*)"/) {
      #expect(!match.1.contains("nan") && !match.1.contains("inf"), "\(match.1)")
    }
  }

  @Test func `several runs are compared by the keys that differ`() throws {
    let runs = try (1...3).map { index in
      try RunFixture([
        "metrics.jsonl": log(steps: 20),
        "config.yaml": "name: a\noptimizer:\n  learningRate: 0.\(index)\n",
      ])
    }
    let histories = runs.map(\.history)
    #expect(RunLabels.differingPaths(of: histories) == ["optimizer.learningRate"])
    #expect(
      RunLabels.labels(of: histories) == [
        "learningRate 0.1", "learningRate 0.2", "learningRate 0.3",
      ]
    )
    let page = Report(histories).page
    #expect(page.contains("Settings that differ"))
    #expect(page.contains("<td>optimizer.learningRate</td><td>0.1</td><td>0.2</td><td>0.3</td>"))
  }

  @Test func `a missing model says why in one line`() throws {
    let run = try RunFixture().history
    let missing = ModelFindingsMissing(reason: "there is no <data>\nand more")
    let page = Report([run], findings: [.failure(missing)]).page
    #expect(page.contains("Not shown: there is no &lt;data&gt;</p>"))
  }
}
