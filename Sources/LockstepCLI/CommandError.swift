import Lockstep

/// Why a command cannot do its work, and the remedy.
struct CommandError: ExitStatusProviding, CustomStringConvertible {
  let description: String
  let exitStatus: ExitStatus

  init(_ description: String, _ exitStatus: ExitStatus) {
    (self.description, self.exitStatus) = (description, exitStatus)
  }
}
