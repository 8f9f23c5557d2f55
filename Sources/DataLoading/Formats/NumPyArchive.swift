/// NumPy's `.npz`: several arrays in one file.
///
/// Names of inputs are `inputs`, `x`, `data`, `images` or `features`, those of targets `targets`, `y`,
/// `labels` or `label`; with `train`, `validation` (or `val`, `valid`) and `test` before or after, as in
/// `x_train` and `test_labels`, where the parts are given.
enum NumPyArchive {
  private static let inputNames = ["inputs", "x", "data", "images", "features", "input"]
  private static let targetNames = ["targets", "y", "labels", "label", "target"]

  /// Reads the parts of a file.
  static func samples(path: String, layout: ImageLayout, inputShape: [Int]?) throws -> SampleFiles {
    let archive = try ZipArchive(path: path)
    func array(_ names: [String], _ part: [String]) throws -> NumericArray? {
      let wanted = Set(
        names.flatMap { name in
          part.isEmpty ? [name] : part.flatMap { ["\($0)_\(name)", "\(name)_\($0)"] }
        })
      let found = archive.names.first { file in
        let name = file.hasSuffix(".npy") ? String(file.dropLast(4)) : file
        return wanted.contains(name.lowercased().replacing("-", with: "_"))
      }
      guard let found else { return nil }
      return try NumPyFile.read(
        ByteReader(name: "\(path): \(found)", bytes: archive.bytes(of: found)))
    }
    func part(_ words: [String]) throws -> Samples? {
      guard let inputs = try array(inputNames, words) else { return nil }
      guard let targets = try array(targetNames, words) else {
        throw DataError(
          .malformed,
          "\(path): has \(inputs.name), but no targets of these samples; it has "
            + archive.names.joined(separator: ", "))
      }
      return try NumPyFile.samples(inputs, targets, layout: layout, inputShape: inputShape)
    }
    guard let train = try part(["train"]) ?? part([]) else {
      throw DataError(
        .malformed,
        "\(path): has \(archive.names.prefix(10).joined(separator: ", ")); expected inputs and targets, x "
          + "and y, or x_train and y_train")
    }
    return SampleFiles(
      train: train, validation: try part(["validation", "val", "valid"]), test: try part(["test"]))
  }
}
