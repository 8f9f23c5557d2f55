package import Base

/// The tensors whose elements are the means of those of several files, computed in 64 bits; integers are those
/// of the first file.
///
/// The files must have the same names and shapes: otherwise throws `UnlikeWeights`.
package func averagedWeights(of files: [SafetensorsFile]) throws -> [SafetensorsTensor] {
  precondition(!files.isEmpty, "averagedWeights: no files")
  for file in files.dropFirst() {
    let difference = WeightDifference.Structure(files[0], file)
    guard difference.isEmpty else {
      throw UnlikeWeights(first: files[0].path, second: file.path, structure: difference)
    }
  }
  return try files[0].entries.map { entry in
    guard entry.dataType.isFloatingPoint else {
      let values = try files[0].integers(of: entry).map { Int64($0) }
      return SafetensorsTensor(name: entry.name, dataType: .int64, shape: entry.shape) { write in
        try values.withUnsafeBytes { try write($0) }
      }
    }
    // Computed as it is written, so that there is one in memory at a time.
    return SafetensorsTensor(name: entry.name, dataType: .float32, shape: entry.shape) { write in
      var sums = [Double](repeating: 0, count: entry.elementCount)
      for file in files {
        let values = try file.doubles(of: file[entry.name]!)
        for index in sums.indices { sums[index] += values[index] }
      }
      let means = sums.map { Float($0 / Double(files.count)) }
      try means.withUnsafeBytes { try write($0) }
    }
  }
}

/// Two files that are not of one model.
package struct UnlikeWeights: ExitStatusProviding, Equatable, CustomStringConvertible {
  let first: String
  let second: String
  let structure: WeightDifference.Structure

  /// The files and what differs.
  package var description: String {
    var parts: [String] = []
    func add(_ what: String, _ names: [String]) {
      guard !names.isEmpty else { return }
      let shown = names.prefix(4).joined(separator: ", ")
      parts.append("\(what): \(shown)\(names.count > 4 ? " and \(names.count - 4) more" : "")")
    }
    add("only in the first", structure.removed)
    add("only in the second", structure.added)
    add("of another shape", structure.reshaped.map(\.name))
    return "'\(first)' and '\(second)' are not of one model (\(parts.joined(separator: "; ")))"
  }

  /// Bad data.
  package var exitStatus: ExitStatus { .badData }
}
