import Base
import Collectives
import DataLoading
import DataParallel
import Settings

extension Trainer {
  /// What the user should know about the size of the global batch, and about nodes that the settings do not fit.
  public var warnings: [String] {
    let (batch, ranks) = (options.globalBatch, communicator.worldSize)
    let samples = task.count(.train)
    var warnings: [String] = []
    if batch < ranks {
      warnings.append(
        "training.globalBatch is \(batch), and there are \(ranks) ranks: \(ranks - batch) of them have no "
          + "sample in any step; use a larger batch, or fewer ranks")
    }
    if batch > samples {
      warnings.append(
        "training.globalBatch is \(grouped(batch)), and there are \(count(samples, "training sample")): "
          + "each epoch is one step of all of them")
    }
    if let warning = parallel.warning { warnings.append("\(warning.inSection("distributed"))") }
    return warnings
  }
}
