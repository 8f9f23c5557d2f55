/// What the process's exit code tells scripts and schedulers; the values follow `sysexits.h`.
public enum ExitStatus: Int32, Sendable, CaseIterable {
  case success = 0
  case usage = 64
  case badData = 65
  case inputMissing = 66
  case programMissing = 69
  case internalError = 70
  case cannotCreate = 73
  case inputOutput = 74
  case stoppedAndSaved = 75
  case configuration = 78
  case nonFiniteLoss = 80
  case ranksDisagree = 81
  case replicasDiverged = 82
  case stalled = 83

  /// One line that explains the code.
  public var meaning: String {
    switch self {
    case .success: "the command did what was asked"
    case .usage: "the command line is wrong"
    case .badData: "an input file is damaged or holds impossible values"
    case .inputMissing: "an input file does not exist or cannot be read"
    case .programMissing: "a program that the command needs is not installed"
    case .internalError: "a fault in this program"
    case .cannotCreate: "an output directory or file cannot be created"
    case .inputOutput: "reading or writing failed, for example because the disk is full"
    case .stoppedAndSaved: "stopped on request with a checkpoint saved; run again to continue"
    case .configuration: "the configuration is wrong"
    case .nonFiniteLoss: "the loss or a gradient became infinite or not a number"
    case .ranksDisagree: "the ranks do not agree on what to run"
    case .replicasDiverged: "the replicas' parameters differ although they must be equal"
    case .stalled: "a rank did not answer in time"
    }
  }
}

/// An error that knows the exit code with which the process should end.
public protocol ExitStatusProviding: Error {
  /// The exit code of a process that ends because of this error.
  var exitStatus: ExitStatus { get }
}

extension ExitStatus {
  /// The exit code for a process that ends because of `error`; 70 for errors that name none.
  public init(_ error: any Error) {
    self = (error as? any ExitStatusProviding)?.exitStatus ?? .internalError
  }
}
