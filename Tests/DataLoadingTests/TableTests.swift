import DataLoading
import Settings
import Testing

@Suite("Tables")
struct TableTests {
  private static let flowers = """
    size;colour;weight;species
    1,5;red;3;setosa
    2,5;blue;4;virginica
    3,5;red;5;setosa
    0,5;green;6;versicolor

    """

  private func splits(
    _ text: String, _ preparation: SamplePreparation? = nil,
    _ configure: (inout CSVSource) -> Void = { _ in }
  ) throws -> DataSplits {
    try withFolder(["table.csv": Array(text.utf8)]) { folder in
      var source = CSVSource(path: folder + "/table.csv")
      (source.validation, source.normalize) = (0, .none)
      configure(&source)
      return try source.open(preparation)
    }
  }

  private func refusal(
    _ text: String, _ configure: (inout CSVSource) -> Void = { _ in }
  ) -> String {
    do {
      _ = try splits(text, nil, configure)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  @Test("texts become categories and classes; commas may be decimal points between semicolons")
  func texts() throws {
    let data = try splits(Self.flowers)
    #expect(data.preparation.classes == Classes(names: ["setosa", "versicolor", "virginica"]))
    let schema = try #require(data.preparation.table)
    #expect(schema.columns.map(\.name) == ["size", "colour", "weight"])
    #expect(schema.columns[1].categories == ["blue", "green", "red"] && schema.width == 5)
    let contents = try Contents(data.train)
    #expect(contents.labels == [0, 2, 0, 1] && data.train.labels == [0, 2, 0, 1])
    #expect(
      contents.inputs == [
        [1.5, 0, 0, 1, 3], [2.5, 1, 0, 0, 4], [3.5, 0, 0, 1, 5], [0.5, 0, 1, 0, 6],
      ])
  }

  @Test(
    "the separator is found, or said",
    arguments: [
      ("a,b,y\n1,2,u\n3,4,v\n", CSVSource.Separator.auto), ("a;b;y\n1;2;u\n3;4;v\n", .auto),
      ("a\tb\ty\n1\t2\tu\n3\t4\tv\n", .auto), ("a|b|y\n1|2|u\n3|4|v\n", .bar),
      ("\"a;\",b,y\n1,2,u\n3,4,v\n", .auto), ("a;b;y\n1;2;u\n3;4;v\n", .semicolon),
    ])
  func separators(text: String, separator: CSVSource.Separator) throws {
    let contents = try Contents(splits(text) { $0.separator = separator }.train)
    #expect(contents.inputs == [[1, 2], [3, 4]] && contents.labels == [0, 1])
  }

  @Test("missing values are refused, dropped, or replaced")
  func missing() throws {
    let text = "a,b,y\n1,red,u\n,red,v\n3,?,u\n8,blue,v\n"
    #expect(refusal(text).contains("row 3, column 1: no value"))
    let dropped = try Contents(splits(text) { $0.missing = .drop }.train)
    #expect(dropped.inputs == [[1, 0, 1], [8, 1, 0]] && dropped.labels == [0, 1])
    // Evaluation drops the same rows.
    let again = try splits(text, splits(text) { $0.missing = .drop }.preparation) {
      $0.missing = .drop
    }
    #expect(try Contents(again.train) == dropped)
    let mean = try splits(text) { $0.missing = .mean }
    #expect(
      try Contents(mean.train).inputs == [[1, 0, 1], [4, 0, 1], [3, 0, 1], [8, 1, 0]])
    #expect(mean.preparation.table?.columns.map(\.fill) == [4, nil])
    #expect(mean.preparation.table?.columns.map(\.fillCategory) == [nil, "red"])
    let median = try Contents(splits(text) { $0.missing = .median }.train)
    #expect(median.inputs[1] == [3, 0, 1])
    // A row without a target cannot be completed.
    let noTarget = "a,y\n1,u\n2,\n3,v\n"
    #expect(refusal(noTarget).contains("row 3, column 2: the row has no target"))
    #expect(try Contents(splits(noTarget) { $0.missing = .mean }.train).labels == [0, 1])
    #expect(
      refusal("a,b,y\n1,,0\n2,,1\n") { $0.missing = .mean }.contains("column 'b' has no value"))
  }

  @Test("columns are ignored, or taken for categories although they are numbers")
  func columns() throws {
    let text = "id,zip,size,y\n1,100,5,0\n2,200,6,1\n3,100,7,0\n"
    let data = try splits(text) {
      $0.ignoreColumns = ["id"]
      $0.categoricalColumns = ["2"]
    }
    #expect(try Contents(data.train).inputs == [[1, 0, 5], [0, 1, 6], [1, 0, 7]])
    #expect(
      refusal(text) { $0.ignoreColumns = ["ids"] }.contains(
        "'ignoreColumns' is 'ids', which is not"))
    #expect(
      refusal(text) { $0.ignoreColumns = ["y"] }.contains("'y', which is the column of the target"))
    #expect(
      refusal(text) { $0.ignoreColumns = ["id", "zip", "size"] }.contains("no column of inputs"))
    let names = (0..<150).map { "name\($0),1\n" }.joined()
    #expect(refusal("n,y\n" + names).contains("column 'n' has more than 100 different texts"))
    #expect(try splits("n,y\n" + names) { $0.categoricalColumns = ["n"] }.train.inputShape == [150])
  }

  @Test("categories stay 0 or 1 when features are standardized")
  func normalized() throws {
    let data = try splits(Self.flowers) { $0.normalize = .standardizeFeatures }
    let inputs = try Contents(data.train).inputs
    #expect(inputs.map { Array($0[1...3]) } == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    #expect(abs(inputs.map { $0[0] }.reduce(0, +)) < 1e-6)
  }

  @Test("few whole numbers are classes, under their own names; many are values")
  func integers() throws {
    let labels = try splits("1,3\n2,1\n3,2\n4,3\n")
    #expect(labels.preparation.classes == Classes(names: ["1", "2", "3"]))
    #expect(try Contents(labels.train).labels == [2, 0, 1, 2])
    #expect(try splits("1,-1\n2,1\n").preparation.classes?.names == ["-1", "1"])
    #expect(try splits("1,0\n2,1\n").preparation.classes == Classes(count: 2))
    let prices = (0..<40).map { "\($0),\(50_738 + 17 * $0)\n" }.joined()
    let data = try splits(prices)
    #expect(data.train.targetKind == .values(shape: [1]) && data.preparation.classes == nil)
    #expect(data.preparation.targetStandardization?.means == [Float(50_738) + 17 * 19.5])
    #expect(
      try splits(prices) { $0.standardizeTargets = false }.preparation.targetStandardization == nil)
    #expect(try splits(prices) { $0.target = .classes }.preparation.classes?.count == 40)
    let mixed = try splits("1,1\n2,2\n3,other\n")
    #expect(mixed.preparation.classes?.names == ["1", "2", "other"])
  }

  @Test("other files are prepared as that of training was, by the names of the columns")
  func preparation() throws {
    let trained = try splits(Self.flowers) { $0.normalize = .standardizeFeatures }.preparation
    let other = "species,weight,note,size,colour\nvirginica,4,x,2.5,blue\n"
    let data = try splits(other, trained) { $0.labelColumn = "species" }
    #expect(data.preparation == trained)
    let expected = try Contents(
      splits(Self.flowers) { $0.normalize = .standardizeFeatures }.train)
    #expect(try Contents(data.train).inputs == [expected.inputs[1]])
    #expect(try Contents(data.train).labels == [2])
    func message(_ text: String) -> String {
      do {
        _ = try splits(text, trained) { $0.labelColumn = "species" }
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message("size,colour,weight,species\n1,red,2,rosa\n").contains(
        "row 2: the class 'rosa' is unknown; known: setosa, versicolor, virginica"))
    #expect(
      message("size,colour,weight,species\n1,pink,2,setosa\n").contains(
        "row 2, column 2: 'pink' is none of the categories that the model knows of column 'colour': blue"
      ))
    #expect(message("size,weight,species\n1,2,setosa\n").contains("no column 'colour'"))
    #expect(message("size,colour,weight,species\n,red,2,setosa\n").contains("no value, and the"))

    func predicted(_ text: String) throws -> [Float] {
      try withFolder(["p.csv": Array(text.utf8)]) {
        try InputFile(path: $0 + "/p.csv", inputShape: [5], table: trained.table).inputs
      }
    }
    #expect(try predicted("colour,size,weight\nred,1,2\n") == [1, 0, 0, 1, 2])
    #expect(try predicted("1,red,2\n3,blue,4\n") == [1, 0, 0, 1, 2, 3, 1, 0, 0, 4])
    #expect(try predicted("1;red;2;setosa\n") == [1, 0, 0, 1, 2])
    #expect(throws: DataError.self) { try predicted("1,red\n") }
  }
}
