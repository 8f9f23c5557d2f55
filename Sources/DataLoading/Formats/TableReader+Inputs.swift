import Base

// How the values of the columns become inputs, when all rows have been read.

extension TableReader {
  /// What was found out about the columns.
  func makeSchema(_ columnCount: Int) throws -> TableSchema {
    let columns = try features.indices.map { index in
      let feature = features[index]
      var column = TableSchema.Column(name: feature.name, position: feature.position)
      guard feature.hasNumbers || feature.codes?.isEmpty == false else {
        throw DataError(
          .malformed,
          "\(parser.name): \(feature.label) has no value in any row: leave it out with 'ignoreColumns' "
            + "[\(feature.name ?? String(feature.position + 1))]")
      }
      if let codes = feature.codes {
        column.categories = codes.keys.sorted {
          $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars)
        }
        if feature.hasMissing && options.missing != .drop {
          column.fillCategory = mostFrequent(index, codes)
        }
      } else if feature.hasMissing && options.missing != .drop {
        column.fill = fill(index)
      }
      return column
    }
    return TableSchema(columns: columns, columnCount: columnCount)
  }

  private func present(_ index: Int) -> [Float] {
    stride(from: index, to: values.count, by: features.count).map { values[$0] }
      .filter { !$0.isNaN }
  }

  /// The mean or the median of a column.
  private func fill(_ index: Int) -> Float {
    let present = present(index)
    guard options.missing == .median else {
      return Float(present.reduce(0.0) { $0 + Double($1) } / Double(present.count))
    }
    let sorted = present.sorted()
    let (low, high) = (sorted[(sorted.count - 1) / 2], sorted[sorted.count / 2])
    return low + (high - low) / 2
  }

  /// The category that most rows have.
  private func mostFrequent(_ index: Int, _ codes: [String: Int]) -> String {
    var counts = [Int](repeating: 0, count: codes.count)
    for code in present(index) { counts[Int(code)] += 1 }
    return codes.max { a, b in
      (counts[a.value], b.key) < (counts[b.value], a.key)
    }!.key
  }

  /// The inputs of all rows: numbers, and 0 or 1 for each category.
  func inputs(_ schema: TableSchema) throws -> [Float] {
    if schema.columns.allSatisfy({ $0.categories == nil && $0.fill == nil }) { return values }
    // The input that each code stands for.
    let places = zip(features, schema.columns).map { feature, column -> [Int] in
      guard let codes = feature.codes, let categories = column.categories else { return [] }
      let place = Dictionary(uniqueKeysWithValues: categories.enumerated().map { ($1, $0) })
      return codes.sorted { $0.value < $1.value }.map { place[$0.key]! }
    }
    guard let count = rowNumbers.count.multiplied(by: schema.width), count < 1 << 33 else {
      throw DataError(
        .malformed,
        "\(parser.name): \(rowNumbers.count) rows of \(schema.width) inputs are too many: ignore columns with many "
          + "categories")
    }
    var inputs: [Float] = []
    inputs.reserveCapacity(count)
    for row in rowNumbers.indices {
      for (index, column) in schema.columns.enumerated() {
        let value = values[row * features.count + index]
        guard let categories = column.categories else {
          inputs.append(value.isNaN ? column.fill! : value)
          continue
        }
        let place =
          value.isNaN ? categories.firstIndex(of: column.fillCategory!)! : places[index][Int(value)]
        for category in categories.indices { inputs.append(category == place ? 1 : 0) }
      }
    }
    return inputs
  }
}
