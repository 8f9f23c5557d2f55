import Checkpointing

extension CheckpointStore {
  /// Sets aside the checkpoints that were passed over for `checkpoint`; returns a warning for each.
  func prepareToResume(
    from checkpoint: Checkpoint, settingAside rejected: [Rejection]
  ) throws -> [String] {
    let moved = try prepareToResume(from: checkpoint.step, settingAside: rejected)
    return zip(rejected, moved).map { rejection, path in
      if let damage = rejection.damage {
        """
        checkpoint of step \(rejection.step) is damaged and was moved to '\(rejectedDirectory)'; \
        resuming from that of step \(checkpoint.step): \(damage)
        """
      } else {
        """
        checkpoint of step \(rejection.step) was not audited and was moved to '\(path)'; resuming from \
        that of step \(checkpoint.step), which was. To resume from the newer one: --resume \(path)
        """
      }
    }
  }
}
