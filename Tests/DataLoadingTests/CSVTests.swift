import DataLoading
import Settings
import Testing

@Suite("CSV")
struct CSVTests {
  private func read(
    _ text: String, _ configure: (inout CSVSource) -> Void = { _ in }
  ) throws -> any Dataset {
    try open(CSVSource.self, ["train.csv": Array(text.utf8)]) {
      $0.validation = 0
      $0.normalize = .none
      configure(&$0)
    }.train
  }

  private func error(
    _ text: String, _ configure: (inout CSVSource) -> Void = { _ in }
  ) -> DataError? {
    failure(CSVSource.self, ["train.csv": Array(text.utf8)]) {
      $0.validation = 0
      $0.normalize = .none
      configure(&$0)
    }
  }

  private func refusal(_ text: String, _ configure: (inout CSVSource) -> Void) -> SettingError? {
    DataLoadingTests.refusal(CSVSource.self, ["train.csv": Array(text.utf8)]) {
      $0.validation = 0
      $0.normalize = .none
      configure(&$0)
    }
  }

  @Test(
    "Line ends, quotes, spaces, blank lines and a byte-order mark make no difference",
    arguments: [
      "1,2.5,0\n-3,4e1,1\n", "1,2.5,0\n-3,4e1,1", "1,2.5,0\r\n-3,4e1,1\r\n", "1,2.5,0\r-3,4e1,1\r",
      "\u{FEFF}1,2.5,0\n\n-3,4e1,1\n  \n", "\"1\",\"2.5\",\"0\"\r\n\"-3\",4e1,\"1\"",
      " 1 ,\t2.5,0 \n-3.0 ,+40,1\n", "a,b,c\n1,2.5,0\n-3,40.000,1",
      "\"a, \"\"x\"\"\ny\",b,c\r\n1,2.5,0\r\n-3,40,1", "\n\n1,2.5,0\n-3,40,1\n\n",
    ])
  func dialects(text: String) throws {
    let dataset = try read(text)
    #expect(dataset.inputShape == [2] && dataset.targetKind == .classes(count: 2))
    let contents = try Contents(dataset)
    #expect(contents.inputs == [[1, 2.5], [-3, 40]] && contents.labels == [0, 1])
  }

  @Test(
    "Numbers are read to the last bit",
    arguments: [
      "0.1", "123456.789", "-0.000123", "16777217", "3.4028234e38", "1e-45", "1e-400",
      "0.30000000000000004", "12345678901234567890", ".5", "5.", "-0",
    ])
  func numbers(text: String) throws {
    let value = try Contents(read("\(text),0\n")).inputs[0][0]
    #expect(
      value.bitPattern == Float(Double(text.hasPrefix(".") ? "0" + text : text) ?? 5).bitPattern)
  }

  @Test("The label's column is the last, or found by name or number")
  func labelColumn() throws {
    let text = "x,y,kind\n0,1,2\n3,4,5\n"
    #expect(try Contents(read(text)).labels == [0, 1])
    #expect(try Contents(read(text) { $0.labelColumn = "y" }).inputs == [[0, 2], [3, 5]])
    #expect(try Contents(read(text) { $0.labelColumn = "1" }).inputs == [[1, 2], [4, 5]])
    for wrong in ["z", "0", "4", "-1"] {
      let error = refusal(text) { $0.labelColumn = wrong }
      #expect(error?.setting == "labelColumn" && error?.problem.contains("x, y, kind") == true)
    }
  }

  @Test("Values to predict need not be whole")
  func values() throws {
    let dataset = try read("1,0.5\n2,-1\n") { $0.target = .values }
    #expect(dataset.targetKind == .values(shape: [1]))
    #expect(try Contents(dataset).values == [[0.5], [-1]])
  }

  @Test("The header is what the option says")
  func header() throws {
    #expect(try read("1,2\n3,4\n") { $0.header = .yes }.count == 1)
    #expect(try read("a,b\n3,4\n4,5\n") { $0.header = .no }.count == 3)
    // Texts in columns where the next row has texts too are no names.
    #expect(try read("1,red,a\n2,blue,b\n").count == 2)
    #expect(try read("size,colour,kind\nsmall,red,a\nlarge,blue,b\n").count == 2)
  }

  @Test("Inputs take a shape that holds them")
  func inputShape() throws {
    #expect(try read("1,2,3,4,0\n") { $0.inputShape = [1, 2, 2] }.inputShape == [1, 2, 2])
    for shape in [[3], [], [-2, -2], [Int.max, Int.max], [4, 0]] {
      #expect(refusal("1,2,3,4,0\n") { $0.inputShape = shape }?.setting == "inputShape")
    }
  }

  /// A text, and what the error about it says; named by the latter.
  struct Hostile: Sendable, CustomTestStringConvertible {
    let text: String
    let message: String
    var testDescription: String { message }

    init(_ text: String, _ message: String) {
      self.text = text
      self.message = message
    }
  }

  private static let hostileTexts: [Hostile] = [
    .init("", "empty"), .init("\n \n", "empty"), .init("a,b\n", "no samples"),
    .init("1\n2\n", "only one column"),
    .init("1,2\n3\n", "row 2, column 1: the row ends after 1 of 2 columns"),
    .init("1,2\n3,4,5\n", "row 2, column 2: the row has more"),
    .init("1,2\n3,\n", "row 2, column 2: the row has no target"),
    .init("1,2\n,4\n", "row 2, column 1: no value: complete it, or set 'missing'"),
    .init("1,2\nx,4\n", "row 2, column 1: 'x' is not a number, as earlier rows have in column 1"),
    .init("1,2\nnan,4\n", "row 2, column 1: the value is missing ('nan')"),
    .init("date,y\n2024-01-31,4\n", "row 2, column 1: '2024-01-31' looks like a date"),
    .init("at,y\n31.1.24 12:00,4\n", "leave the column out with 'ignoreColumns' [at]"),
    .init(
      "1,2.5\n3,x\n",
      "row 2, column 2: the target 'x' is not a number, as those of earlier rows, such as 2.5"),
    .init("1,2\ninf,4\n", "'inf' is not a number"),
    .init("1,2\n0x10,4\n", "'0x10' is not a number"),
    .init("1,2\n1e400,4\n", "row 2, column 1: 1e400 is beyond"),
    .init("1,2\n1e39,4\n", "1e39 is beyond"), .init("1,2\n1_0,4\n", "'1_0' is not a number"),
    .init("1,2\n\"3,4\n", "row 2, column 1: the quote is never closed"),
    .init("1,2\n\"3\"x,4\n", "row 2, column 1: text after the closing quote"),
    .init("1,2\n3,4\u{0}\n", "row 2, column 2: a zero byte at offset 7"),
    .init("\"a\nb\",c\n\n1,2\n3,4\n?,5\n", "row 6, column 1: the value is missing ('?')"),
    .init("1,2\n3," + String(repeating: "4", count: 5_000), "longer than 4096 bytes"),
    .init(String(repeating: "1,", count: 1_100_000), "more than 1048576 columns"),
  ]

  @Test(
    "What is not a table of finite numbers is an error with row and column", arguments: hostileTexts
  )
  func hostile(file: Hostile) {
    let error = error(file.text)
    #expect(error?.kind == .malformed)
    #expect(error?.message.contains(file.message) == true, "\(String(describing: error))")
  }

  @Test("A label beyond the declared classes is an error with row and column")
  func classes() throws {
    #expect(try read("1,2\n") { $0.classes = 5 }.targetKind == .classes(count: 5))
    let error = error("1,0\n1,2\n") { $0.classes = 2 }
    #expect(error?.message.contains("row 2: the label 2 is out of range") == true)
    let fraction = self.error("1,2\n3,4.5\n") { $0.target = .classes }
    #expect(fraction?.message.contains("row 2: the label 4.5 is not a whole number") == true)
  }

  @Test("A file, a compressed one, and a folder with a test file are read")
  func places() throws {
    let (train, test) = (Array("1,0\n2,1\n".utf8), Array("3,4\n".utf8))
    let all = try open(CSVSource.self, ["train.csv.gz": gzip(train), "test.csv": test])
    #expect(all.train.count == 2 && all.validation.count == 1)
    #expect(all.train.targetKind == .classes(count: 3))
    try withFolder(["x.csv": train]) { folder in
      var source = CSVSource(path: folder + "/x.csv")
      (source.validation, source.split, source.normalize) = (1, .last, .none)
      try #expect(Contents(source.open().validation).inputs == [[2]])
    }
    let wider = Array("3,4,1\n".utf8)
    let error = failure(CSVSource.self, ["train.csv": train, "test.csv": wider])
    #expect(error?.message.contains("test.csv") == true)
  }
}
