import Base
import Testing

@Suite struct JSONTests {
  private struct Record: Codable, Equatable {
    struct File: Codable, Equatable {
      var name: String
      var bytes: Int
    }
    var files: [File] = []
    var note: String?
    var loss = 0.0
    var scale: Float = 1
  }

  @Test("an object is written in the order of its keys, with whole numbers as what they are")
  func order() {
    let object: JSONObject = [
      "b": 1, "a": 1.0, "list": ["x", "y"], "numbers": [Float(0.1), 2], "none": Int?.none,
      "some": Int?.some(3), "inner": ["z": true, "y": false] as JSONObject, "": "",
    ]
    #expect(
      object.text == #"{"b":1,"a":1.0,"list":["x","y"],"numbers":[0.1,2.0],"none":null,"some":3,"#
        + #""inner":{"z":true,"y":false},"":""}"#)
  }

  @Test("a string reads back, and what YAML takes for a line break is escaped")
  func strings() throws {
    let text = "a\"\\/\n\t\u{1}\u{7F}\u{85}\u{2028}é🙂"
    for json in [JSON.text(text), JSONObject.text(text)] {
      #expect(json.hasSuffix(#"\u007f\u0085\u2028é🙂""#))
      #expect(json.hasPrefix(#""a\"\\/\n\t"#))
      #expect(try JSON.decode(String.self, from: json.utf8) == text)
    }
    #expect(
      try JSON.decode(String.self, from: #""\u0041\/\b\f\ud83d\ude42""#.utf8) == "A/\u{8}\u{C}🙂")
  }

  @Test(
    "floating-point numbers take the fewest digits that read back to them",
    arguments: [
      (0.1, "0.1"), (1, "1.0"), (2.5e-300, "2.5e-300"), (1e300, "1e+300"), (-0.0, "-0.0"),
      (1.0 / 3, "0.3333333333333333"),
    ])
  func shortest(value: Double, text: String) throws {
    #expect(JSONObject.text(value) == text)
    #expect(try JSON.decode(Double.self, from: text.utf8) == value)
  }

  @Test("every bit of a Float and of a Double reads back")
  func bits() throws {
    var generator = SystemRandomNumberGenerator()
    let floats = (0..<10_000).map { _ in Float(bitPattern: generator.next()) }.filter(\.isFinite)
    let doubles = (0..<10_000).map { _ in Double(bitPattern: generator.next()) }.filter(\.isFinite)
    for text in [JSON.text(floats), JSONObject.text(floats)] {
      #expect(
        try JSON.decode([Float].self, from: text.utf8).map(\.bitPattern) == floats.map(\.bitPattern)
      )
    }
    for text in [JSON.text(doubles), JSONObject.text(doubles)] {
      #expect(
        try JSON.decode([Double].self, from: text.utf8).map(\.bitPattern)
          == doubles.map(\.bitPattern))
    }
  }

  @Test("numbers that JSON cannot write become strings that still read as numbers")
  func nonFinite() throws {
    let list: [Double] = [.nan, .infinity, -.infinity]
    for text in [JSON.text(list), JSONObject.text(list)] {
      #expect(text == #"["NaN","Infinity","-Infinity"]"#)
      let values = try JSON.decode([Double].self, from: text.utf8)
      #expect(values[0].isNaN)
      #expect(Array(values[1...]) == [.infinity, -.infinity])
    }
  }

  @Test(
    "text that is not JSON is refused",
    arguments: [
      "", " ", "{", "{,}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1",
      "NaN", "tru", "nulll", "'a'", "\"a", "\"\\x\"", "\"\\u12\"", "\"\t\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"", "\"\\udc00\"", "[1 2]", "1 2", "[1]]", "// a\n1",
    ])
  func refused(text: String) {
    func expectRefusal<Value: Decodable>(_ type: Value.Type) {
      #expect(throws: JSONError.self) { try JSON.decode(type, from: text.utf8) }
    }
    expectRefusal(Double.self)
    expectRefusal(String.self)
    expectRefusal([Int].self)
    expectRefusal([String: Int].self)
  }

  @Test("invalid UTF-8, deep nesting and numbers out of range are refused")
  func hostile() {
    indirect enum Nested: Decodable {
      case list([Nested])
      init(from decoder: any Decoder) throws {
        self = .list(try [Nested](from: decoder))
      }
    }
    #expect(throws: JSONError.self) { try JSON.decode(String.self, from: [0x22, 0xFF, 0x22]) }
    for text in [
      String(repeating: "[", count: 100_000),
      String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000),
    ] {
      #expect(throws: JSONError.self) { try JSON.decode(Nested.self, from: text.utf8) }
    }
    for text in [
      "9223372036854775808", "1e19", "1.5", "1" + String(repeating: "0", count: 100_000),
    ] {
      #expect(throws: JSONError.self) { try JSON.decode(Int.self, from: text.utf8) }
    }
    #expect(throws: JSONError.self) { try JSON.decode(Double.self, from: "1e999".utf8) }
    #expect(throws: JSONError.self) { try JSON.decode(Float.self, from: "1e39".utf8) }
  }

  @Test(
    "an error names the key and what is wrong with it",
    arguments: [
      (#"{"loss":1,"scale":1}"#, "'files' is missing"),
      (#"{"files":null,"loss":1,"scale":1}"#, "'files' is null, not a list"),
      (#"{"files":{},"loss":1,"scale":1}"#, "'files' is not a list"),
      (#"{"files":[{"name":"a"}],"loss":1,"scale":1}"#, "'files[0].bytes' is missing"),
      (#"{"files":[{"name":1,"bytes":1}],"loss":1,"scale":1}"#, "'files[0].name' is not a string"),
      (
        #"{"files":[{"name":"a","bytes":"1"}],"loss":1,"scale":1}"#,
        "'files[0].bytes' is not an integer"
      ),
      (#"{"files":[],"loss":"1","scale":1}"#, "'loss' is not a number"),
      ("[]", "it is not an object"),
      ("{", "it is not valid JSON, or a number in it is out of range"),
    ])
  func errors(text: String, message: String) {
    let error = #expect(throws: JSONError.self) { try JSON.decode(Record.self, from: text.utf8) }
    #expect(error?.description == message)
  }

  @Test("a value reads back, from any order of keys and with keys that it does not know")
  func roundTrip() throws {
    let record = Record(files: [.init(name: "a", bytes: .min)], loss: 0.1, scale: 0.1)
    #expect(try JSON.decode(Record.self, from: JSON.text(record).utf8) == record)
    let text = #"{"more":[{}], "scale": 1, "note": null, "loss": 0.0, "files": [ ]}"#
    #expect(try JSON.decode(Record.self, from: text.utf8) == Record())
  }
}
