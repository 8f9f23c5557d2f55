import CKernels

/// Notices bits of the weights that flip between two updates, also where all ranks share one copy.
///
/// The kernel that updates weights has them in registers, and adds up their bits before and after: an
/// update must find the sum that the one before it left. A flip is noticed in the next update. A pass
/// over memory of its own would take as long as the update.
package final class WeightChecksums {
  /// Weights that one call of a kernel updates.
  private struct Part {
    let elements: Range<Int>
    /// The sum of their bits after the update.
    let sum: UInt32
  }

  /// The elements that were found to have changed, the first time.
  package private(set) var changed: Range<Int>?
  // The arena owns this object.
  private unowned let arena: ParameterArena
  /// What this process updated in the last update, and in the open one.
  private var last: [Part] = []
  private var parts: [Part] = []
  /// The arena's version after the last update: with another one, the program has changed weights.
  private var version: Int?

  /// Watches the values of an arena.
  package init(_ arena: ParameterArena) {
    self.arena = arena
  }

  /// Begins an update of the arena.
  package func begin() {
    if version != arena.valuesVersion { last = [] }
    parts.removeAll(keepingCapacity: true)
  }

  /// Adds the weights of one call of a kernel.
  func add(_ elements: Range<Int>, _ bits: ck_bit_sums) {
    // After a step with other gradients, the parts may be others: their sums are not known.
    if parts.count < last.count, last[parts.count].elements == elements,
      last[parts.count].sum != bits.before
    {
      changed = changed ?? elements
    }
    parts.append(Part(elements: elements, sum: bits.after))
  }

  /// Ends an update of the arena.
  package func end() {
    swap(&last, &parts)
    version = arena.valuesVersion
  }

  /// Compares all weights of the last update with what it left.
  package func compareAll() {
    guard version == arena.valuesVersion, changed == nil else { return }
    changed =
      last.first {
        let bytes = arena.valueBuffer[$0.elements].bytes
        return ck_bit_sum(bytes.baseAddress, bytes.count / 4) != $0.sum
      }?.elements
  }
}
