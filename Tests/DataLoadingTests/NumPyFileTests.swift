import DataLoading
import Testing

@Suite("NumPyFile")
struct NumPyFileTests {
  private func read(_ bytes: [UInt8]) throws -> NumericArray {
    try NumPyFile.read(ByteReader(name: "x.npy", bytes: bytes))
  }

  @Test("All element types are read in both byte orders", arguments: [true, false])
  func types(bigEndian: Bool) throws {
    let order = bigEndian ? ">" : "<"
    func floats<T: FixedWidthInteger>(_ type: String, _ values: [T]) throws -> [Float] {
      try read(npy(order + type, "(\(values.count),)", bytes(values, bigEndian: bigEndian)))
        .floats()
    }
    #expect(try floats("f4", [Float(1.5).bitPattern, Float(-3e38).bitPattern]) == [1.5, -3e38])
    #expect(try floats("f8", [Double(1.5).bitPattern, Double(-3e38).bitPattern]) == [1.5, -3e38])
    #expect(try floats("i1", [Int8(-5), 6]) == [-5, 6])
    #expect(try floats("i2", [Int16(-5), 600]) == [-5, 600])
    #expect(try floats("i4", [Int32(-5), 70_000]) == [-5, 70_000])
    #expect(try floats("i8", [Int64(-5), 1 << 40]) == [-5, 0x1p40])
    #expect(try floats("u1", [UInt8(5), 250]) == [5, 250])
    #expect(try floats("u2", [UInt16(5), 60_000]) == [5, 60_000])
    #expect(try floats("u4", [UInt32(5), 1 << 31]) == [5, 0x1p31])
    #expect(try floats("u8", [UInt64(5), 1 << 63]) == [5, 0x1p63])
    #expect(try read(npy("|b1", "(2,)", [0, 1])).floats() == [0, 1])
  }

  @Test("Column-major arrays come out row-major")
  func fortranOrder() throws {
    // Element (i, j, k) of [2, 3, 2] is 100 i + 10 j + k.
    var columnMajor: [Int16] = []
    for k in 0..<2 {
      for j in 0..<3 { for i in 0..<2 { columnMajor.append(Int16(100 * i + 10 * j + k)) } }
    }
    let data = bytes(columnMajor, bigEndian: false)
    let array = try read(npy("<i2", "(2, 3, 2)", data, fortran: true))
    #expect(array.shape == [2, 3, 2])
    #expect(try array.floats() == [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121])
  }

  @Test(
    "Headers may be written in other ways",
    arguments: [
      "{\"shape\": (2,), \"fortran_order\": False, \"descr\": \"|u1\"}",
      "  {'fortran_order':True,'descr':'|u1','shape':(2,)}   \n",
      "{'descr': '|u1',\n 'fortran_order': False, 'shape': (2, ) , }",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1)}",
    ], [1, 2, 3] as [UInt8])
  func headers(header: String, version: UInt8) throws {
    #expect(try read(npy(header: header, [7, 8], version: version)).floats() == [7, 8])
  }

  @Test("What NumPy itself wrote is read")
  func genuine() throws {
    let header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
      + String(repeating: " ", count: 60) + "\n"
    let file = npy(header: header, [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC1])
    #expect(file.count == 136 && file[8] == 0x76)
    #expect(try read(file).floats() == [1, -10])
  }

  @Test(
    "Other headers are errors",
    arguments: [
      "", "{", "{}", "[]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': 1}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 0)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
      "{'descr': '<f4', 'fortran_order': maybe, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
      "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}",
      "{'descr': '|f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': ()}"
        + String(repeating: " ", count: 9_999),
      "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
    ])
  func hostile(header: String) {
    let error = #expect(throws: DataError.self) { try read(npy(header: header, [0, 0, 0, 0])) }
    #expect(error?.kind == .malformed)
  }

  @Test("Infinite and undefined elements are errors that name the first one")
  func nonFinite() throws {
    for bad in [Double.nan, .infinity, 1e39] {
      let data = bytes([Double(1).bitPattern, bad.bitPattern], bigEndian: false)
      let array = try read(npy("<f8", "(2,)", data))
      let error = #expect(throws: DataError.self) { try array.floats() }
      #expect(error?.message.contains("element 1") == true)
    }
  }

  @Test("Few whole numbers are classes, others are values")
  func targets() throws {
    let inputs = npy("|u1", "(3, 2)", [1, 2, 3, 4, 5, 6])
    let integers = npy("<i8", "(3,)", bytes([Int64(0), 2, 1], bigEndian: false))
    let floats = npy(
      "<f4", "(3,)", bytes([0, 0x3F00_0000, 0x4000_0000] as [UInt32], bigEndian: false))
    let labelled = try open(NumPySource.self, ["inputs.npy": inputs, "targets.npy": integers]) {
      ($0.validation, $0.split) = (1, .last)
    }
    #expect(labelled.train.targetKind == .classes(count: 3) && labelled.train.inputShape == [2])
    #expect(try Contents(labelled.validation).labels == [1])
    #expect(try Contents(labelled.validation).inputs == [[5, 6]])
    let valued = try open(NumPySource.self, ["inputs.npy": inputs, "targets.npy": floats]) {
      $0.validation = 0
    }
    #expect(valued.train.targetKind == .values(shape: [1]))
    #expect(try Contents(valued.train).values == [[0], [0.5], [2]])
    let whole = npy(
      "<f4", "(3,)", bytes([0, 0x3F80_0000, 0x4000_0000] as [UInt32], bigEndian: false))
    let wholes = try open(NumPySource.self, ["inputs.npy": inputs, "targets.npy": whole]) {
      $0.validation = 0
    }
    #expect(wholes.train.targetKind == .classes(count: 3))
    let forced = try open(NumPySource.self, ["inputs.npy": inputs, "targets.npy": integers]) {
      $0.validation = 0
      $0.target = .values
    }
    #expect(try Contents(forced.train).values == [[0], [2], [1]])
    let error = failure(NumPySource.self, ["inputs.npy": inputs, "targets.npy": floats]) {
      $0.classes = 3
    }
    #expect(error?.message.contains("the label 0.5 is not a whole number") == true)
  }

  @Test("Pairs of files for training and testing, or a file's path, are read")
  func places() throws {
    let inputs = npy("|u1", "(2, 2, 2, 1)", Array(0..<8))
    let targets = npy("|u1", "(2,)", [0, 1])
    let both = try open(
      NumPySource.self,
      [
        "train-inputs.npy": inputs, "train-targets.npy": targets, "test-inputs.npy": inputs,
        "test-targets.npy": targets,
      ])
    #expect(
      both.train.count == 2 && both.validation.count == 2
        && both.validation.inputShape == [1, 2, 2])
    try withFolder(["my-inputs-1.npy": inputs, "my-targets-1.npy": targets]) { folder in
      var source = NumPySource(path: folder + "/my-inputs-1.npy")
      (source.validation, source.split) = (1, .last)
      try #expect(source.open().train.count == 1)
    }
    let missing = failure(NumPySource.self, ["inputs.npy": inputs])
    #expect(missing?.kind == .missing && missing?.message.contains("targets.npy") == true)
    let few = failure(
      NumPySource.self, ["inputs.npy": inputs, "targets.npy": npy("|u1", "(1,)", [0])])
    #expect(few?.message.contains("1 targets") == true)
    let scalar = failure(
      NumPySource.self, ["inputs.npy": npy("|u1", "()", [0]), "targets.npy": targets])
    #expect(scalar?.message.contains("first axis") == true)
  }
}
