import NeuralNetworks
import Optimizers
import TensorCore

/// The parameters that are not trained: the ranks of a node have one copy in common, without gradients
/// and optimizer state.
final class FrozenParameters {
  /// A parameter and its elements.
  struct Entry {
    let name: String
    let range: Range<Int>
  }

  let entries: [Entry]
  private let storage: Storage
  private let count: Int
  private let dataType: DataType

  /// Moves the frozen parameters of a model into common memory; nil if there are none.
  init?(_ model: any Module, memory: any ArenaMemory) {
    let frozen = model.namedParameters().filter { !$0.parameter.requiresGrad }
    if frozen.isEmpty { return nil }
    let type = frozen[0].parameter.dataType
    let alignment = 64 / type.byteCount
    var entries: [Entry] = []
    var end = 0
    for (name, parameter) in frozen {
      require(
        parameter.dataType == type,
        "DataParallel: \(name) is \(parameter.dataType), and other frozen parameters are \(type)")
      entries.append(Entry(name: name, range: end..<end + parameter.count))
      end = (end + parameter.count + alignment - 1) / alignment * alignment
    }
    (self.entries, count, dataType) = (entries, end, type)
    storage = memory.allocateCommon(byteCount: end * type.byteCount)
    for (entry, place) in zip(entries, frozen) {
      place.parameter.move(
        to: storage, offset: entry.range.lowerBound, copiesElements: memory.takesOverValues)
    }
    Storage.returnFreePages()
  }

  /// The values of all of them.
  var values: ArenaBuffer { ArenaBuffer(storage.pointer, count: count, dataType) }
}
