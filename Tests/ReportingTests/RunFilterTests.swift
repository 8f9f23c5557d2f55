import Reporting
import Testing

@Suite struct RunFilterTests {
  private func accepts(_ condition: String) throws -> Bool {
    let fixture = try RunFixture([
      "metrics.jsonl": log(steps: 20),
      "config.yaml": "name: tulips\noptimizer:\n  learningRate: 0.05\n",
    ])
    let filter = try #require(RunFilter(condition))
    return filter.accepts(RunSummary(fixture.directory))
  }

  @Test(arguments: [
    "status=done", "name = tulips", "status!=failed", "optimizer.learningRate<0.1",
    "optimizer.learningRate=5e-2", "optimizer.learningRate<=0.05", "steps>=20", "loss<0.06",
    "accuracy>0.7", "model.kind=mlp", "ranks!=2",
  ])
  func `a run fulfils`(condition: String) throws {
    #expect(try accepts(condition))
  }

  @Test(arguments: [
    "status=failed", "optimizer.learningRate>0.05", "steps<20", "name<3", "ranks=2", "loss>1",
    "data.path=x",
  ])
  func `a run does not fulfil`(condition: String) throws {
    #expect(try !accepts(condition))
  }

  @Test(arguments: ["", "status", "nonsense=1", "=3", "optimizer<1"])
  func `what is no condition is refused`(text: String) {
    #expect(RunFilter(text) == nil)
  }
}
