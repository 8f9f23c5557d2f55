public import Settings

/// Samples in LIBSVM's format: `label index:value ...` in each line, with indices from 1.
public struct LibSVMSource: DataSource {
  /// The file.
  @Setting(shared: .path("file in LIBSVM's format")) public var path: String?
  /// The number of features, those that are zero in all samples included.
  @Setting("number of features", in: 1...1_000_000) public var features = 1
  /// The number of test samples.
  @Setting(shared: .testCount) public var testCount: Int?

  /// A source without a path.
  public init() {}

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, "a file in LIBSVM's format")
  }

  /// Reads the file.
  public func read() throws -> DataSplits {
    let reader = try ByteReader(path: expanded(path))
    var inputs: [Float] = []
    var labels: [Int32] = []
    let lines = String(decoding: try reader.remainingBytes(), as: UTF8.self).split(separator: "\n")
    for (index, line) in lines.enumerated() {
      let fields = line.split(separator: " ")
      guard let label = fields.first.flatMap({ Int32($0) }), label >= 0 else {
        throw reader.malformed("line \(index + 1) begins with no label")
      }
      var row = [Float](repeating: 0, count: features)
      for field in fields.dropFirst() {
        let parts = field.split(separator: ":")
        guard parts.count == 2, let feature = Int(parts[0]), let value = Float(parts[1]),
          (1...features).contains(feature), value.isFinite
        else { throw reader.malformed("line \(index + 1): '\(field.prefix(40))' is wrong") }
        row[feature - 1] = value
      }
      inputs += row
      labels.append(label)
    }
    let samples = Samples(
      name: reader.name, inputs: inputs, inputShape: [features], targets: .labels(labels),
      count: labels.count)
    return try DataSplits(
      train: samples, test: nil, testCount: testCount, classes: nil, normalize: .none)
  }
}

extension DataFormat {
  /// LIBSVM's format.
  static let libsvm = DataFormat("libsvm", LibSVMSource())
}
