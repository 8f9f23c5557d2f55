import Benchmarking
import Collectives
import Testing

@Suite("Limits of the machine")
struct MachineLimitsTests {
  @Test("all limits are positive, on one rank and on two")
  func positive() throws {
    for ranks in 1...2 {
      let rates = try withRanks(ranks) { communicator in
        let limits = MachineLimits(seconds: 1e-6, megabytes: 1, communicator)
        return [
          limits.multiplyAdd(), limits.bfloat16(), limits.sgemm(), limits.copy(), limits.triad(),
          try limits.sharedSum(), limits.operationOverhead(),
        ]
      }
      // All ranks have the sums of all.
      #expect(Set(rates.map { $0.map(\.sorted) }).count == 1)
      for rate in rates[0] {
        #expect(rate.sorted.count == 5 && rate.minimum > 0 && rate.maximum.isFinite)
        #expect((rate.minimum...rate.maximum).contains(rate.median))
      }
    }
  }

  @Test("a maximum far above the median means that the machine was disturbed")
  func disturbed() {
    #expect(!MachineLimits.Figure([1.1, 1, 1]).isDisturbed)
    #expect(MachineLimits.Figure([1, 1.2, 1]).isDisturbed)
    #expect(!MachineLimits.Figure([1, 1.2, 1], isTime: true).isDisturbed)
    #expect(MachineLimits.Figure([1.2, 1, 1.2], isTime: true).isDisturbed)
  }

  @Test("the overhead is the time of one operation, on average over the ranks")
  func overhead() throws {
    for ranks in 1...2 {
      let overheads = try withRanks(ranks) { communicator in
        let limits = MachineLimits(seconds: 1e-6, megabytes: 1, communicator)
        return limits.operationOverhead()
      }
      // Far more than a call of a function, far less than the whole chain.
      #expect((2e-8...1e-4).contains(overheads[0].minimum))
      #expect(overheads[0].isTime)
    }
  }
}
