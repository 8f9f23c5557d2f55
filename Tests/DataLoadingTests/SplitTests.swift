import DataLoading
import Settings
import Testing

@Suite("Splits")
struct SplitTests {
  /// A hundred samples, sorted by their class: 60 of class a, 30 of b, 10 of c.
  private static let sorted = (0..<100).map { index in
    "\(index),\(index < 60 ? "a" : index < 90 ? "b" : "c")\n"
  }.joined()

  private func splits(
    _ files: [String: String] = ["train.csv": sorted],
    _ configure: (inout CSVSource) -> Void = { _ in }
  ) throws -> DataSplits {
    try withFolder(files.mapValues { Array($0.utf8) }) { folder in
      var source = CSVSource(path: folder)
      source.normalize = .none
      configure(&source)
      return try source.open()
    }
  }

  private func samples(_ dataset: any Dataset) throws -> [Float] {
    try Contents(dataset).inputs.map { $0[0] }
  }

  private func counts(_ dataset: any Dataset) throws -> [Int] {
    try Contents(dataset).labels.reduce(into: [0, 0, 0]) { $0[Int($1)] += 1 }
  }

  @Test("by default each class has a tenth of its samples in the validation set")
  func stratified() throws {
    let data = try splits()
    #expect(try counts(data.validation) == [6, 3, 1] && counts(data.train) == [54, 27, 9])
    #expect(data.test.count == 0)
    let three = try splits { ($0.validation, $0.test) = (0.2, 15) }
    #expect(try counts(three.validation) == [12, 6, 2])
    #expect(try counts(three.test).reduce(0, +) == 15 && counts(three.test)[0] == 9)
    let all = try [three.train, three.validation, three.test].flatMap(samples)
    #expect(all.sorted() == (0..<100).map(Float.init))
  }

  @Test("a seed gives the same split, another seed another")
  func seeds() throws {
    for method in [SplitMethod.shuffled, .stratified] {
      let (first, again) = (
        try samples(splits { $0.split = method }.validation),
        try samples(splits { $0.split = method }.validation)
      )
      let other = try samples(
        splits {
          $0.split = method
          $0.splitSeed = 2
        }.validation)
      #expect(first == again && first != other && first == first.sorted())
    }
  }

  @Test("the last samples are for testing, those before for validation")
  func last() throws {
    let data = try splits {
      $0.split = .last
      ($0.validation, $0.test) = (5, 0.1)
    }
    #expect(try samples(data.validation) == [85, 86, 87, 88, 89])
    #expect(try samples(data.test) == (90..<100).map(Float.init))
  }

  @Test("files of their own are used; a test file alone is for validation, unless it is kept")
  func files() throws {
    let other = "1,a\n2,b\n", third = "3,c\n"
    let three = try splits(
      ["train.csv": Self.sorted, "validation.csv": other, "test.csv": third])
    #expect((three.train.count, three.validation.count, three.test.count) == (100, 2, 1))
    let two = try splits(["train.csv": Self.sorted, "test.csv": other])
    #expect((two.train.count, two.validation.count, two.test.count) == (100, 2, 0))
    let kept = try splits(["train.csv": Self.sorted, "test.csv": other]) { $0.validation = 20 }
    #expect((kept.train.count, kept.validation.count, kept.test.count) == (80, 20, 2))
    #expect(try splits { $0.validation = 0 }.validation.count == 0)
  }

  @Test("what cannot be divided so is an error of the setting")
  func refused() throws {
    func setting(
      _ files: [String: String] = ["train.csv": SplitTests.sorted],
      _ configure: (inout CSVSource) -> Void
    ) -> String? {
      #expect(throws: SettingError.self) { try splits(files, configure) }?.setting
    }
    #expect(setting { $0.validation = 100 } == "validation")
    #expect(setting { ($0.validation, $0.test) = (1, 99) } == "test")
    #expect(setting { $0.validation = 2.5 } == "validation")
    #expect(setting { $0.split = .file } == "split")
    let files = ["train.csv": Self.sorted, "validation.csv": "1,a\n"]
    #expect(setting(files) { $0.validation = 0.1 } == "validation")
    let values = (0..<50).map { "\($0),\($0).5\n" }.joined()
    #expect(setting(["train.csv": values]) { $0.split = .stratified } == "split")
    #expect(try splits(["train.csv": values]).validation.count == 5)
  }
}
