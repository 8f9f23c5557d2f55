import Collectives
import DataParallel
import Testing

@Suite("AllReduceChoice")
struct AllReduceChoiceTests {
  private func choice(_ seconds: [(InterNodeAllReduce, Double)]) -> AllReduceChoice {
    AllReduceChoice(
      timings: seconds.map { .init(algorithm: $0, seconds: $1) }, bytes: 500_000)
  }

  @Test("The fastest algorithm is taken, and the others are told, fastest first")
  func fastest() {
    let choice = choice([
      (.recursiveDoubling, 0.25), (.direct, 0.0041), (.recursiveMultiplying, 0.0044),
    ])
    #expect(choice.algorithm.name == "direct")
    #expect(
      choice.description
        == "direct, 4.1 ms for 0.5 MB (recursive-multiplying 4.4, recursive-doubling 250)")
  }
}
