import Base
import Checkpointing
import TestSupport
import Testing
import Training

/// Files of a checkpoint whose checksums are right and whose numbers are not.
@Suite struct HostileCheckpointTests {
  @Test(
    "a signature with impossible numbers is damaged",
    arguments: [
      #""inputShape":[4611686018427387904,4],"outputs":2"#,
      #""inputShape":[0,4611686018427387904,4],"outputs":2"#,
      #""inputShape":[],"outputs":2"#, #""inputShape":[-2,-2],"outputs":2"#,
      #""inputShape":[4],"outputs":4611686018427387904"#, #""inputShape":[4],"outputs":0"#,
      #""inputShape":[1],"outputs":2,"means":[0],"deviations":[0]"#,
      #""inputShape":[1],"outputs":2,"means":[0],"deviations":[-1]"#,
      #""inputShape":[2],"outputs":2,"means":[0,0,0],"deviations":[1,1,1]"#,
      #""inputShape":[2,2],"outputs":2,"characters":"ab""#,
    ])
  func signature(numbers: String) throws {
    let text = #"{"objective":"crossEntropy",\#(numbers)}"#
    try withCheckpoint("signature.json", text) { checkpoint throws in
      let error = #expect(throws: CheckpointError.self) { try checkpoint.signature() }
      #expect(error?.exitStatus == .badData)
      #expect(error?.description.contains("signature.json") == true)
    }
  }

  @Test("a signature with possible numbers is read")
  func goodSignature() throws {
    let text = #"{"objective":"crossEntropy","inputShape":[4],"outputs":2}"#
    try withCheckpoint("signature.json", text) { checkpoint throws in
      #expect(try checkpoint.signature().inputShape == [4])
    }
  }

  @Test(
    "a state with impossible numbers is damaged",
    arguments: [
      (-1, "0", "[]"), (.max, "0", "[]"), (1, "0", "[2]"), (1, "0", "[-1]"),
      (1, "0", "[9223372036854775807]"), (1, "-1", "[]"), (1, "1e300", "[]"),
    ])
  func state(step: Int, samples: String, counts: String) throws {
    try withCheckpoint("state.json", state(step, samples, counts)) { checkpoint throws in
      let error = #expect(throws: CheckpointError.self) { try TrainingState(checkpoint) }
      #expect(error?.description.contains("state.json") == true)
    }
  }

  @Test(
    "a state with impossible steps that are left out is damaged",
    arguments: [
      #""skippedSteps":-1"#, #""skippedSteps":2"#, #""skippedSteps":9223372036854775807"#,
      #""rollbacks":{"leftOut":[[2,1]],"count":1,"inARow":1,"updates":0}"#,
      #""rollbacks":{"leftOut":[[-1,1]],"count":1,"inARow":1,"updates":0}"#,
      #""rollbacks":{"leftOut":[[1,9223372036854775807]],"count":1,"inARow":1,"updates":0}"#,
      #""rollbacks":{"leftOut":[],"count":9223372036854775807,"inARow":1,"updates":0}"#,
      #""rollbacks":{"leftOut":[],"count":1,"inARow":9223372036854775807,"updates":0}"#,
    ])
  func leftOut(member: String) throws {
    let text = state(1, "0", "[]").dropLast() + ",\(member)}"
    try withCheckpoint("state.json", String(text)) { checkpoint throws in
      let error = #expect(throws: CheckpointError.self) { try TrainingState(checkpoint) }
      #expect(error?.description.contains("state.json") == true)
    }
  }

  @Test("a state with possible numbers is read")
  func goodState() throws {
    let rollbacks = #"{"leftOut":[[2,2],[7,9]],"count":2,"inARow":1,"updates":1}"#
    let good = state(3, "12", "[3, 0]")
    for text in [good, good.dropLast() + #","skippedSteps":1,"rollbacks":\#(rollbacks)}"#] {
      try withCheckpoint("state.json", text) { checkpoint throws in
        _ = try TrainingState(checkpoint)
      }
    }
  }

  private func state(_ step: Int, _ samples: String, _ counts: String) -> String {
    """
    {"format":1,"step":\(step),"epochSampleCount":\(samples),"epochLossSum":0,\
    "epochCorrectCount":0,"stepCounts":\(counts)}
    """
  }

  /// Calls `body` with a checkpoint that has this file alone.
  private func withCheckpoint(
    _ name: String, _ text: String, _ body: (Checkpoint) throws -> Void
  ) throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path("checkpoints"), keep: 1)
    try store.prepare()
    try body(try store.commit(step: 1, files: [.text(name, text)]))
    withExtendedLifetime(directory) {}
  }
}
