import Checkpointing
import Testing

@Suite struct JSONValueTests {
  @Test("values read back from their text")
  func roundTrip() throws {
    let value = JSONValue.object([
      "text": .string("a\"\\\n\t\u{1}\u{2028}é🙂"), "integer": .integer(Int.min),
      "list": .array([.null, .boolean(true), .boolean(false), .array([]), .object([:])]),
      "": .number(Float(0.1)),
    ])
    #expect(try JSONValue(parsing: value.text) == value)
    #expect(value.text.hasPrefix(#"{"text":"a\"\\\n\t\u0001\u2028é🙂","integer":"#))
  }

  @Test(
    "floating-point numbers take the fewest digits that read back to them",
    arguments: [
      (0.1, "0.1"), (1, "1.0"), (2.5e-300, "2.5e-300"), (1e300, "1e+300"), (-0.0, "-0.0"),
      (1.0 / 3, "0.3333333333333333"),
    ])
  func shortest(value: Double, text: String) throws {
    #expect(JSONValue.number(value).text == text)
    #expect(try JSONValue(parsing: text).doubleValue == value)
  }

  @Test("numbers that JSON cannot write become strings that still read as numbers")
  func nonFinite() throws {
    let list = JSONValue.array([
      .number(Float.nan), .number(Double.infinity), .number(-Float.infinity),
    ])
    #expect(list.text == #"["NaN","Infinity","-Infinity"]"#)
    let values = try #require(try JSONValue(parsing: list.text).arrayValue).map(\.doubleValue)
    #expect(values[0]?.isNaN == true)
    #expect(values[1] == .infinity)
    #expect(values[2] == -.infinity)
  }

  @Test(
    "what RFC 8259 does not allow is refused",
    arguments: [
      "", " ", "{", "[1,]", "{,}", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "1.", ".5", "+1", "-",
      "1e", "1e+", "0x1", "NaN", "tru", "nulll", "'a'", "\"a", "\"\\x\"", "\"\\u12\"", "\"\t\"",
      "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "[1 2]", "1 2", "[1]]", "// a\n1",
      #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"b":{"a":1,"a":2}}"#,
    ])
  func refused(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test("escapes and surrogate pairs are understood")
  func escapes() throws {
    #expect(
      try JSONValue(parsing: #""\u0041\/\b\f\ud83d\ude42""#) == .string("A/\u{8}\u{C}🙂"))
  }

  @Test("invalid UTF-8 and deep nesting are refused at once")
  func hostile() {
    let encoding = #expect(throws: JSONError.self) {
      try JSONValue(parsing: [0x22, 0xFF, 0x22])
    }
    #expect(encoding?.reason == "a string is not valid UTF-8")
    let depth = #expect(throws: JSONError.self) {
      try JSONValue(parsing: String(repeating: "[", count: 100_000))
    }
    #expect(depth?.offset == 17)
  }
}
