package import Base
import Foundation
import TensorCore

extension StepProfile {
  /// The most modules in a report.
  private static let mostModules = 20

  /// The tables of operations and of modules.
  package func report(_ limits: Limits) -> String {
    let modules = byModule()
    var lines = [
      String(
        format:
          "profile of %d steps, %.4f ms each; limits: %.1f GFLOP/s, %.1f of bfloat16, %.1f GB/s",
        steps, milliseconds(seconds), limits.operations / 1e9, limits.bfloat16 / 1e9,
        limits.bytes / 1e9), "",
    ]
    lines += table("operation", operations(), limits)
    lines += [cells("all", "", "", milliseconds(seconds), 1, []), ""]
    lines += table("module", Array(modules.prefix(StepProfile.mostModules)), limits)
    let rest = modules.dropFirst(StepProfile.mostModules)
    if !rest.isEmpty {
      let sum = rest.reduce(0) { $0 + $1.seconds }
      lines.append(cells("\(rest.count) more", "", "", milliseconds(sum), sum / seconds, []))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func table(_ title: String, _ rows: [Row], _ limits: Limits) -> [String] {
    let width = 34
    let head =
      title.padding(toLength: width, withPad: " ", startingAt: 0)
      + "pass        calls         ms   share  GFLOP/s     GB/s  of limit"
    return [head]
      + rows.map { row in
        let rates =
          row.pass == .other
          ? []
          : [
            row.work.operations > 0 ? String(format: "%.1f", row.operationRate / 1e9) : "",
            row.work.bytes > 0 ? String(format: "%.1f", row.byteRate / 1e9) : "",
            row.work.bytes > 0 ? String(format: "%.0f %%", 100 * row.share(of: limits)) : "",
          ]
        let calls = Double(row.calls) / Double(steps)
        return cells(
          row.name, row.pass == .other ? "" : row.pass.rawValue,
          calls == calls.rounded() ? "\(Int(calls))" : String(format: "%.1f", calls),
          milliseconds(row.seconds), row.seconds / seconds, rates)
      }
  }

  private func cells(
    _ name: String, _ pass: String, _ calls: String, _ milliseconds: Double, _ share: Double,
    _ rates: [String]
  ) -> String {
    func left(_ text: String, _ width: Int) -> String {
      text.count >= width ? text + " " : text.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let line =
      left(name, 34) + left(pass, 8) + right(calls, 9)
      + right(String(format: "%.4f", milliseconds), 11)
      + right(String(format: "%.1f %%", 100 * share), 8)
    return line + zip(rates, [9, 9, 10]).map { right($0, $1) }.joined()
  }

  /// Milliseconds of a step, from the seconds of all steps.
  private func milliseconds(_ seconds: Double) -> Double { seconds / Double(steps) * 1e3 }

  /// Both tables as JSON.
  package func record(_ limits: Limits) -> JSONObject {
    func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
    func objects(_ rows: [Row], _ key: String) -> [JSONObject] {
      rows.map { row in
        [
          key: row.name, "pass": row.pass.rawValue, "calls": Double(row.calls) / Double(steps),
          "ms": rounded(milliseconds(row.seconds)), "share": rounded(row.seconds / seconds),
          "gflops": rounded(row.operationRate / 1e9), "gb_per_s": rounded(row.byteRate / 1e9),
          "of_limit": rounded(row.share(of: limits)),
        ]
      }
    }
    return [
      "steps": steps, "step_ms": rounded(milliseconds(seconds)),
      "limit_gflops": rounded(limits.operations / 1e9),
      "limit_bfloat16_gflops": rounded(limits.bfloat16 / 1e9),
      "limit_gb_per_s": rounded(limits.bytes / 1e9),
      "operations": objects(operations(), "operation"), "modules": objects(byModule(), "module"),
    ]
  }
}
