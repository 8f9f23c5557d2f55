import Base

extension CollectiveSelfTest {
  static func checkCollectiveTry(_ communicator: any Communicator) -> [String] {
    struct Complaint: ExitStatusProviding, CustomStringConvertible {
      let description: String
      let exitStatus = ExitStatus.badData
    }
    var failures: [String] = []
    for lowest in 0..<communicator.worldSize {
      do {
        try communicator.collectiveTry {
          if communicator.rank >= lowest { throw Complaint(description: "no \(communicator.rank)") }
        }
        failures.append("rank \(lowest) threw, this one did not")
      } catch let failure as CollectiveFailure {
        let found = (failure.rank, failure.message, failure.exitStatus, failure.worldSize)
        if found != (lowest, "no \(lowest)", .badData, communicator.worldSize) {
          failures.append("rank \(lowest) threw, this one got \(found)")
        }
      } catch {
        failures.append("an error of another type: \(error)")
      }
    }
    let value = try? communicator.collectiveTry { communicator.rank }
    if value != communicator.rank { failures.append("no rank threw, but the value is lost") }
    return failures
  }

  static func checkInvariants(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    do {
      try communicator.checkInvariants(["seed": "1", "": "empty name", "data": ""])
      try communicator.checkInvariants([:])
    } catch {
      failures.append("equal values are said to differ: \(error)")
    }
    let seed = communicator.rank == communicator.worldSize - 1 ? "2" : "1"
    let isFound: Bool
    do {
      try communicator.checkInvariants(["seed": seed])
      isFound = false
    } catch {
      isFound = true
    }
    if isFound != (communicator.worldSize > 1) {
      failures.append("a different value was not found")
    }
    return failures
  }
}
