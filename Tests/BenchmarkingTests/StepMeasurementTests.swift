import Benchmarking
import Collectives
import DataParallel
import Testing

@Suite("Times of steps")
struct StepMeasurementTests {
  @Test("quantiles are interpolated, as Python's are")
  func quantiles() {
    #expect([5.0, 1, 4, 2, 3].quantile(0.5) == 3)
    #expect([4.0, 1, 3, 2].quantile(0.5) == 2.5)
    // statistics.quantiles([1, 2, 3, 4, 5], n=10, method="inclusive")
    #expect(abs([5.0, 1, 4, 2, 3].quantile(0.1) - 1.4) < 1e-12)
    #expect(abs([5.0, 1, 4, 2, 3].quantile(0.9) - 4.6) < 1e-12)
    #expect([7.0].quantile(0.9) == 7)
    #expect([2.0, 1].quantile(0) == 1 && [2.0, 1].quantile(1) == 2)
  }

  @Test("the parts of a step add up to the median, on several ranks")
  func parts() throws {
    let workload = try #require(Workload.all.first { $0.name == "mlp-tiny" })
    let measurements = try withRanks(2) { communicator in
      try StepMeasurement(
        WorkloadRun(workload, on: communicator), seconds: 0.05, communicator)
    }
    for measurement in measurements {
      let times = measurement.times
      let sum =
        times.compute + times.waiting + times.exposedCommunication + times.update
        + measurement.other
      #expect(abs(sum - measurements[0].median) < 1e-9)
      #expect(times.compute > 0 && times.update > 0 && measurement.other >= 0)
      #expect(times == measurements[0].times && measurement.other == measurements[0].other)
    }
  }

  @Test("a busy moment moves the upper quantile, not the median")
  func steps() throws {
    let workload = try #require(Workload.all.first { $0.name == "mlp-tiny" })
    let measurement = try StepMeasurement(
      WorkloadRun(workload), seconds: 0.01, SingleProcess())
    let seconds = measurement.seconds
    #expect(measurement.median == seconds.quantile(0.5))
    let disturbed = seconds + Array(repeating: 1, count: seconds.count / 4)
    #expect(disturbed.quantile(0.9) == 1 && disturbed.quantile(0.5) < 1)
  }
}
