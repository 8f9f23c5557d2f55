import Base
import DataLoading
import Testing

@Suite("Files of samples to predict")
struct InputFileTests {
  private func read(_ name: String, _ bytes: [UInt8], _ shape: [Int]) throws -> InputFile {
    try withFolder([name: bytes]) { try InputFile(path: "\($0)/\(name)", inputShape: shape) }
  }

  @Test("Rows of CSV are samples, without a label, compressed or not")
  func csv() throws {
    let text = Array("1,2.5\r\n-3,4e1\n".utf8)
    for (name, bytes) in [("a.csv", text), ("a.csv.gz", gzip(text))] {
      let file = try read(name, bytes, [2])
      #expect(file.count == 2 && file.inputs == [1, 2.5, -3, 40])
    }
  }

  @Test("A header, quotes and a byte-order mark are read as in training")
  func asInTraining() throws {
    let texts = [
      "a,b\r\n1,2\n", "\u{FEFF}1,2\n", "\"1\",\"2\"\n", "\u{FEFF}\"a\",\"x\"\"y\"\n\n 1 ,+2.0\n",
    ]
    for text in texts {
      #expect(try read("a.csv", Array(text.utf8), [2]).inputs == [1, 2], "\(text)")
    }
  }

  @Test("Files without samples are an error of the data")
  func empty() throws {
    let files: [(name: String, bytes: [UInt8])] = [
      ("a.csv", []), ("a.csv.gz", gzip([])), ("a.npy", []), ("a-images", []),
      ("a.npy", npy("<f4", "(0, 2)", [])), ("a.npy", npy("<f4", "(0,)", [])),
      ("a-images", idx([0, 2], [])), ("a.npy", npy("<f4", "(0, 4611686018427387904, 4)", [])),
    ]
    for (name, bytes) in files {
      let error = #expect(throws: DataError.self) { try read(name, bytes, [2]) }
      #expect(error?.exitStatus == .badData, "\(name)")
    }
  }

  @Test(
    "CSV of another width or with other than numbers is an error with row and column",
    arguments: [
      ("1,2,3,4\n", "4 columns; the model takes 2, without a label, or the 3 of its training file"),
      ("1,2\n3\n", "row 2, column 1: the row ends after 1 of 2 columns"),
      ("a,b,c\n1,2\n", "row 2, column 2: the row ends after 2 of 3 columns"),
      ("a,b\n1,b\n", "row 2, column 2: 'b' is not a number"), ("\n", "empty"),
      ("a,b\n", "no samples"), ("", "empty"),
      ("0x10,2\n1,2\n", "row 1, column 1: '0x10' is not a number"),
      ("1,2\n0x10,2\n", "'0x10' is not a number"),
      ("1,2\n1_0,2\n", "'1_0' is not a number"), ("1,2\nnan,2\n", "the value is missing ('nan')"),
      ("1,2\n,2\n", "row 2, column 1: no value"),
    ])
  func wrongCSV(text: String, message: String) {
    let error = #expect(throws: DataError.self) { try read("a.csv", Array(text.utf8), [2]) }
    #expect(error?.kind == .malformed && error?.message.contains(message) == true)
  }

  @Test("Arrays are one sample or several, also flattened; IDX bytes become 0...1")
  func arrays() throws {
    let one = try read("a.npy", npy("|u1", "(2, 3)", Array(0..<6)), [1, 2, 3])
    #expect(one.count == 1 && one.inputs == [0, 1, 2, 3, 4, 5])
    let flat = try read("a.npy", npy("|u1", "(2, 6)", Array(0..<12)), [1, 2, 3])
    #expect(flat.count == 2)
    let images = try read(
      "a-images", idx([2, 2, 3], [255] + Array(repeating: 0, count: 11)), [1, 2, 3])
    #expect(images.count == 2 && images.inputs[0] == 1)
    let error = #expect(throws: DataError.self) {
      try read("a.npy", npy("|u1", "(2, 5)", Array(0..<10)), [1, 2, 3])
    }
    #expect(error?.message.contains("samples of shape [1, 2, 3], not [2, 5]") == true)
  }
}
