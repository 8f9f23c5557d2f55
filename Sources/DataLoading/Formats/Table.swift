/// The rows of a table: inputs, and targets where there are any.
///
/// Numbers are inputs as they are, texts become categories; see `TableSchema`.
struct Table {
  /// The inputs of all rows, row-major.
  private(set) var inputs: [Float]
  /// The targets; without any, an empty list.
  private(set) var targets: Targets
  /// How the columns became inputs.
  let schema: TableSchema

  /// Reads the rows of a file of training, validation or test samples.
  ///
  /// - Parameters:
  ///   - reader: The file.
  ///   - options: Which columns are what.
  ///   - schema: The columns of the training file; nil finds them here.
  init(_ reader: ByteReader, options: CSVSource, schema: TableSchema?) throws {
    let bytes = try reader.remainingBytes()
    self = try bytes.withUnsafeBufferPointer { bytes in
      var rows = TableReader(
        CSVParser(name: reader.name, bytes: bytes, separator: options.separator.byte), options)
      return try rows.read(schema: schema, hasTarget: true)
    }
  }

  /// Reads rows to predict, which may have the column of the target or not.
  init(predicting reader: ByteReader, schema: TableSchema) throws {
    let bytes = try reader.remainingBytes()
    self = try bytes.withUnsafeBufferPointer { bytes in
      var rows = TableReader(
        CSVParser(name: reader.name, bytes: bytes, separator: nil), CSVSource())
      return try rows.read(schema: schema, hasTarget: false)
    }
  }

  /// Rows that were read.
  init(inputs: [Float], targets: Targets, schema: TableSchema) {
    (self.inputs, self.targets, self.schema) = (inputs, targets, schema)
  }
}
