import Benchmarking
import Checkpointing
import Foundation
import Lockstep

/// Profiles some steps of a training run, the same ones on all ranks.
final class TrainingProfiler {
  /// The numbers of steps that can be profiled: a trace of more is too large for its viewers.
  static let steps = 1...1000
  /// The steps before the first that is profiled, in which memory is allocated and caches are filled.
  private static let warmUp = 3

  private let steps: Int
  private let model: any Module
  private let communicator: any Communicator
  /// Takes the profile of all ranks, on rank zero.
  private let report: (_ table: String, _ trace: String) -> Void
  private var stepsBegun = 0

  init(
    steps: Int, _ model: any Module, _ communicator: any Communicator,
    report: @escaping (_ table: String, _ trace: String) -> Void
  ) {
    (self.steps, self.model, self.communicator) = (steps, model, communicator)
    self.report = report
  }

  /// Starts or ends the profile if it is time; collective.
  func willTakeStep() {
    if stepsBegun == TrainingProfiler.warmUp { StepProfile.start(model) }
    if stepsBegun == TrainingProfiler.warmUp + steps { finish() }
    stepsBegun += 1
  }

  /// Ends a profile that has not ended yet, after the last step; returns whether steps were profiled.
  ///
  /// Collective.
  @discardableResult
  func finish() -> Bool {
    let taken = stepsBegun - TrainingProfiler.warmUp
    guard let profile = StepProfile.stop(steps: min(taken, steps)) else { return taken > 0 }
    let trace = profile.trace(communicator)
    let limits = StepProfile.Limits(communicator)
    if let trace { report(profile.report(limits), trace) }
    return true
  }
}
