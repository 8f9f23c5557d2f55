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
      (.recursiveDoubling, 0.0093), (.direct, 0.0041), (.ring, 0.0044), (.mpi, 0.25),
    ])
    #expect(choice.algorithm.name == "direct")
    #expect(
      choice.description
        == "direct, 4.1 ms for 0.5 MB (ring 4.4, recursive-doubling 9.3, mpi 250)")
  }

  @Test("One that blocks a core, or adds in another order, must be faster by more than a tenth")
  func drawbacks() {
    #expect(
      choice([(.mpi, 0.0040), (.direct, 0.0042), (.ring, 0.0041)]).description
        == "direct, 4.2 ms for 0.5 MB (mpi 4.0, which takes a core while it waits, ring 4.1, which adds in another order)"
    )
    #expect(choice([(.mpi, 0.0030), (.direct, 0.0041)]).algorithm.name == "mpi")
    #expect(choice([(.direct, 0.0041), (.ring, 0.0036)]).algorithm.name == "ring")
    #expect(choice([(.mpi, 0.0030)]).algorithm.name == "mpi")
  }
}
