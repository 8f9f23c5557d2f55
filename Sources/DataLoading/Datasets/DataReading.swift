import Base

/// What reading every sample of some data showed.
package struct DataReading {
  /// The samples that could be read.
  package private(set) var readCount = 0
  /// How many samples could not be read.
  package private(set) var problemCount = 0
  /// What is wrong with the first of them.
  package private(set) var problems: [String] = []
  /// What is suspicious, but can be trained on.
  package private(set) var warnings: [String] = []

  private static let mostProblems = 20
  private static let batchSize = 64
  /// Inputs of more numbers are not compared one by one.
  private static let widestInput = 100_000

  /// Reads all samples.
  package init(_ data: DataSplits) {
    var seen: [DataPart: Set<UInt64>] = [:]
    var constants = data.train.inputShape.elementCount.flatMap { width -> ConstantInputs? in
      // The corners of pictures are often always black.
      let isTable = data.train.inputKind == .numbers && data.train.inputShape.count == 1
      return isTable && width <= Self.widestInput ? ConstantInputs(width: width) : nil
    }
    for part in DataPart.allCases where data[part].count > 0 {
      var hashes: Set<UInt64> = []
      read(data[part]) { input in
        if part == .train { constants?.add(input) }
        hashes.insert(hash(input))
      }
      seen[part] = hashes
    }
    for (first, second) in [
      (DataPart.train, DataPart.validation), (.train, .test), (.validation, .test),
    ] {
      let common = seen[first, default: []].intersection(seen[second, default: []]).count
      guard common > 0, data.train.inputKind == .numbers else { continue }
      warnings.append(
        "\(count(common, "different input")) of the \(second.rawValue) samples "
          + "\(common == 1 ? "is" : "are") also in the \(first.rawValue) samples: what is measured there "
          + "is partly known already")
    }
    if let indices = constants?.indices, !indices.isEmpty {
      warnings.append(
        "\(count(indices.count, "input")) of \(grouped(constants!.width)) never "
          + "\(indices.count == 1 ? "changes" : "change"): "
          + indices.prefix(12).map(String.init).joined(separator: ", ")
          + (indices.count > 12 ? ", ..." : "") + " (counted from 0)")
    }
  }

  /// Reads all samples of a dataset; one batch that fails is read again sample by sample.
  private mutating func read(_ dataset: any Dataset, _ body: (UnsafeRawBufferPointer) -> Void) {
    let pool = BatchMemory(capacity: Self.batchSize, dataset: dataset)
    func read(_ indices: ArraySlice<Int>) throws {
      let buffers = pool.buffers(count: indices.count)
      try dataset.read(indices, epoch: nil, into: buffers)
      let inputs =
        dataset.inputKind == .numbers
        ? UnsafeRawBufferPointer(buffers.inputs) : UnsafeRawBufferPointer(buffers.tokens)
      let size = inputs.count / indices.count
      for row in indices.indices {
        let first = (row - indices.startIndex) * size
        body(UnsafeRawBufferPointer(rebasing: inputs[first..<first + size]))
      }
    }
    let all = Array(0..<dataset.count)
    for start in stride(from: 0, to: all.count, by: Self.batchSize) {
      let batch = all[start..<min(start + Self.batchSize, all.count)]
      do {
        try read(batch)
        readCount += batch.count
      } catch {
        for index in batch {
          do {
            try read([index])
            readCount += 1
          } catch {
            problemCount += 1
            if problems.count < Self.mostProblems { problems.append("\(error)") }
          }
        }
      }
    }
  }
}

/// A hash of the bytes of an input.
private func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  var value = UInt64(bytes.count)
  for index in stride(from: 0, to: bytes.count, by: 4) {
    value = mixed(value ^ UInt64(bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)))
  }
  return value
}

/// Which elements of all inputs have the same value.
private struct ConstantInputs {
  let width: Int
  private var first: [UInt32] = []
  private var changes: [Bool]
  private var count = 0

  init(width: Int) {
    self.width = width
    changes = [Bool](repeating: false, count: width)
  }

  mutating func add(_ input: UnsafeRawBufferPointer) {
    let words = input.bindMemory(to: UInt32.self)
    count += 1
    if first.isEmpty {
      first = Array(words)
      return
    }
    for index in 0..<min(width, words.count) where words[index] != first[index] {
      changes[index] = true
    }
  }

  var indices: [Int] { count < 2 ? [] : changes.indices.filter { !changes[$0] } }
}
