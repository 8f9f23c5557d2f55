extension String {
  /// Whether the text can stand as one component of a path everywhere: letters, digits, '.', '_',
  /// '-'.
  package var isPlainFileName: Bool {
    !isEmpty && utf8.count <= 128 && first != "."
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
          UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
