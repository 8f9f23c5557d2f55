import CKernels

/// The sums of a round that adds: its received terms are in memory one after the other.
extension AllReduceRound {
  /// How many elements are received to be added.
  var addedCount: Int { adds ? receives.reduce(0) { $0 + $1.elements.count } : 0 }

  /// Where the elements of a transfer that are to be added are in the memory of the terms.
  func place(ofReceived index: Int) -> Range<Int> {
    let elements = receives[index].elements
    precondition(
      elements == receives[0].elements,
      "InterNodeAllReduce: transfers to be added have different elements, \(receives[0].elements) and \(elements)"
    )
    return index * elements.count..<(index + 1) * elements.count
  }

  /// Adds received terms to the elements of a rank's buffer, in the order of the ranks; does nothing in
  /// a round that does not add.
  func add(
    _ received: UnsafeMutableBufferPointer<Float>, to buffer: UnsafeMutableBufferPointer<Float>,
    of rank: Int
  ) {
    guard adds, let elements = receives.first?.elements, !elements.isEmpty else { return }
    let own = buffer.extracting(elements).baseAddress!
    var terms = [(rank: rank, start: UnsafePointer(own))]
    for (index, transfer) in receives.enumerated() {
      terms.append((transfer.peer, UnsafePointer(received.baseAddress! + index * elements.count)))
    }
    terms.sort { $0.rank < $1.rank }
    ck_sum_tree(
      ck_f32, own, terms.map { UnsafeRawPointer($0.start) }, terms.count, elements.count)
  }
}
