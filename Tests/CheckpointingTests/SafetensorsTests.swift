import Base
import Checkpointing
import Foundation
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  private func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> Data {
    var bytes = Data()
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) {
      bytes.append(contentsOf: $0)
    }
    bytes.append(contentsOf: header.utf8)
    bytes.append(Data(count: data))
    return bytes
  }

  private func content(
    _ tensors: [SafetensorsTensor], metadata: [String: String] = [:]
  ) throws -> Data {
    var data = Data()
    try SafetensorsWriter(tensors, metadata: metadata).write { data.append(contentsOf: $0) }
    return data
  }

  @Test("an empty file is eight bytes of length and a padded pair of braces")
  func empty() throws {
    let data = try content([])
    #expect(Array(data) == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
    #expect(try SafetensorsFile(data: data, path: "empty").entries.isEmpty)
  }

  @Test("tensors read back bit for bit, also in pieces, empty and without axes")
  func roundTrip() throws {
    let weight: [Float] = [1, -0.0, .infinity, .nan, .leastNonzeroMagnitude, 0.1]
    let counts: [Int64] = [3, -4]
    let pieces = SafetensorsTensor(name: "counts", dataType: .int64, shape: [2]) { write in
      for count in counts { try withUnsafeBytes(of: count.littleEndian) { try write($0) } }
    }
    let tensors = [
      SafetensorsTensor(name: "b.weight", shape: [2, 3], floats: weight), pieces,
      SafetensorsTensor(name: "a.bias", shape: [], floats: [7]),
      SafetensorsTensor(name: "nothing", shape: [0, 5], floats: []),
    ]
    let data = try content(tensors, metadata: ["format": "pt", "é\"": "\n"])
    #expect(
      SafetensorsWriter(tensors, metadata: ["format": "pt", "é\"": "\n"]).byteCount == data.count)
    let file = try SafetensorsFile(data: data, path: "memory")
    // The widest elements first, then by name.
    #expect(file.entries.map(\.name) == ["counts", "a.bias", "b.weight", "nothing"])
    #expect(file.metadata == ["format": "pt", "é\"": "\n"])
    let entry = try #require(file["b.weight"])
    #expect(entry.shape == [2, 3])
    #expect(try file.floats(of: entry).map(\.bitPattern) == weight.map(\.bitPattern))
    #expect(try file.integers(of: try #require(file["counts"])) == [3, -4])
    #expect(try file.floats(of: try #require(file["a.bias"])) == [7])
    #expect(try file.floats(of: try #require(file["nothing"])).isEmpty)
    #expect(file["missing"] == nil)
    for entry in file.entries {
      #expect(entry.byteRange.lowerBound % entry.dataType.byteCount == 0)
    }
  }

  @Test("a file on the disk is read where it lies")
  func mapped() throws {
    let directory = try TemporaryDirectory()
    let tensor = SafetensorsTensor(name: "w", shape: [1000], floats: (0..<1000).map(Float.init))
    try content([tensor]).write(to: URL(fileURLWithPath: directory.path("model.safetensors")))
    let file = try SafetensorsFile(path: directory.path("model.safetensors"))
    #expect(try file.floats(of: try #require(file["w"])).last == 999)
    let error = #expect(throws: FileSystemError.self) {
      try SafetensorsFile(path: directory.path("other.safetensors"))
    }
    #expect(error?.exitStatus == .inputMissing)
  }

  @Test("16-bit and 64-bit floats convert to Float")
  func conversions() throws {
    let halves: [UInt16] = [0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400, 0x8000, 0x7C00, 0xFC00, 0x7E00]
    func tensor<T>(_ name: String, _ type: SafetensorsDataType, _ values: [T]) -> SafetensorsTensor
    {
      SafetensorsTensor(name: name, dataType: type, shape: [values.count]) { write in
        try values.withUnsafeBytes { try write($0) }
      }
    }
    let file = try SafetensorsFile(
      data: try content([
        tensor("half", .float16, halves), tensor("brain", .bfloat16, [0x3F80, 0xC040] as [UInt16]),
        tensor("double", .float64, [0.1, -2]), tensor("flags", .bool, [1, 0] as [UInt8]),
      ]), path: "memory")
    let values = try file.floats(of: try #require(file["half"]))
    #expect(
      values.dropLast() == [1, -2, 65504, 0x1p-24, 0x1p-14, -0.0, .infinity, -.infinity])
    #expect(values[5].sign == .minus)
    #expect(values[8].isNaN)
    #expect(try file.floats(of: try #require(file["brain"])) == [1, -3])
    #expect(try file.floats(of: try #require(file["double"])) == [0.1, -2])
    #expect(try file.doubles(of: try #require(file["double"])) == [0.1, -2])
    #expect(try file.integers(of: try #require(file["flags"])) == [1, 0])
    #expect(throws: SafetensorsError.self) { try file.floats(of: try #require(file["flags"])) }
    #expect(throws: SafetensorsError.self) { try file.integers(of: try #require(file["half"])) }
  }

  private static func entry(_ body: String) -> String { #"{"w":{"# + body + "}}" }

  @Test(
    "headers that break a rule are refused",
    arguments: [
      ("", 0), (" {}", 0), ("[]", 0), ("{", 0), ("{}x", 0), ("{}\n{}", 0), ("{}", 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 0),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 2),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}}"#, 2),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0.0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1e3],"data_offsets":[0,1000]}}"#, 1000),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,18446744073709551616]}}"#, 1),
      (
        #"{"w":{"dtype":"U8","shape":[9223372036854775807],"#
          + #""data_offsets":[0,9223372036854775807]}}"#, 1
      ),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[2,9223372036854775807],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),
      (#"{"w":{"dtype":"F32","shape":[4,4611686018427387904,0],"data_offsets":[0,0]}}"#, 0),
      (#"{"w":{"dtype":"U8","shape":[0,-1],"data_offsets":[0,0]}}"#, 0),
      (#"{"w":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":1,"shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}"#, 1),
      (#"{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1e99999],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]} "v":1}"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}]"#, 1),
      (#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"dtyp\u0065":"I8"}}"#, 1),
      (#"{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":{"dtype":"U8","shape":null,"data_offsets":[0,1]}}"#, 1),
      (#"{"__metadata__":{"a":"b","a":"c"}}"#, 0), (#"{"__metadata__":null}"#, 0),
      (#"{"w\u0000":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1),
      (#"{"w":[]}"#, 0), (#"{"w":{}}"#, 0), (#"{"w":1}"#, 0),
      (#"{"__metadata__":1}"#, 0), (#"{"__metadata__":{"a":1}}"#, 0),
      (#"{"__metadata__":{"a":{"b":"c"}}}"#, 0), (#"{"__metadata__":{},"__metadata__":{}}"#, 0),
      (
        #"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""\u0077":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2
      ),
      (
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
          + #""b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#, 3
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
          + #""b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1
      ),
    ])
  func refused(header: String, data: Int) {
    let content = file(header, data: data)
    let error = #expect(throws: SafetensorsError.self) {
      try SafetensorsFile(data: content, path: "hostile.safetensors")
    }
    #expect(error?.description.contains("hostile.safetensors") == true)
    #expect(error?.exitStatus == .badData)
  }

  @Test(
    "impossible header lengths are refused without reading on",
    arguments: [UInt64.max, 1 << 63, 100_000_001, 3, 1 << 32])
  func lengths(length: UInt64) {
    let error = #expect(throws: SafetensorsError.self) {
      try SafetensorsFile(data: file("{}", length: length), path: "hostile")
    }
    #expect(error?.offset == 0)
  }

  @Test("every truncation and every extension of a good file is refused")
  func truncation() throws {
    let data = try content([SafetensorsTensor(name: "w", shape: [3], floats: [1, 2, 3])])
    for count in 0..<data.count {
      #expect(throws: SafetensorsError.self) {
        try SafetensorsFile(data: data.prefix(count), path: "short")
      }
    }
    #expect(throws: SafetensorsError.self) {
      try SafetensorsFile(data: data + Data([0]), path: "long")
    }
  }

  @Test("no damaged byte of the header makes a tensor that is not in the file")
  func damagedHeader() throws {
    let tensors = ["a", "b"].map { SafetensorsTensor(name: $0, shape: [3], floats: [1, 2, 3]) }
    let good = try content(tensors, metadata: ["format": "pt"])
    let headerEnd = good.count - 24
    var damagedCount = 0
    for index in 0..<headerEnd {
      for byte in Array("\"\\{}[],:0191eE-. nux\u{1}\0".utf8) + [0x7F, 0x80, 0xC3, 0xFF] {
        var data = good
        data[index] = byte
        damagedCount += 1
        guard let file = try? SafetensorsFile(data: data, path: "damaged") else { continue }
        #expect(file.entries.reduce(headerEnd) { $0 + $1.byteRange.count } == data.count)
        for entry in file.entries {
          #expect(entry.byteRange.lowerBound >= headerEnd)
          #expect(entry.byteRange.count == entry.elementCount * entry.dataType.byteCount)
        }
      }
    }
    #expect(damagedCount > 2400)
  }

  @Test("a header in UTF-16 is refused, with and without a byte order mark")
  func otherEncodings() throws {
    for encoding in [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32] {
      let header = try #require("{}".data(using: encoding))
      var data = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
      data.append(header)
      #expect(throws: SafetensorsError.self) { try SafetensorsFile(data: data, path: "utf16") }
    }
    var marked = Data([5, 0, 0, 0, 0, 0, 0, 0, 0xEF, 0xBB, 0xBF])
    marked.append(contentsOf: "{}".utf8)
    #expect(throws: SafetensorsError.self) { try SafetensorsFile(data: marked, path: "mark") }
  }

  // The limit is against hanging: a header that is read in quadratic time takes hours.
  @Test("invalid UTF-8, deep nesting and very many tensors end", .timeLimit(.minutes(5)))
  func quick() throws {
    var invalid = file(#"{"?":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)
    _ = try SafetensorsFile(data: invalid, path: "valid")
    invalid[10] = 0xFF
    #expect(throws: SafetensorsError.self) { try SafetensorsFile(data: invalid, path: "utf8") }
    var text = file(#"{"__metadata__":{"a":"?"}}"#)
    _ = try SafetensorsFile(data: text, path: "valid")
    text[text.count - 4] = 0xFF
    #expect(throws: SafetensorsError.self) { try SafetensorsFile(data: text, path: "utf8") }

    let deep = file(#"{"w":"# + String(repeating: "[", count: 100_000))
    #expect(throws: SafetensorsError.self) { try SafetensorsFile(data: deep, path: "deep") }

    let many = (0..<100_000).map {
      #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#
    }.joined(separator: ",")
    let data = file("{" + many + "}")
    #expect(try SafetensorsFile(data: data, path: "many").entries.count == 100_000)
  }

  @Test("names that look like paths are only names")
  func names() throws {
    let data = try content([SafetensorsTensor(name: "../a/b", shape: [1], floats: [2])])
    let file = try SafetensorsFile(data: data, path: "names")
    #expect(try file.floats(of: try #require(file["../a/b"])) == [2])
  }
}
