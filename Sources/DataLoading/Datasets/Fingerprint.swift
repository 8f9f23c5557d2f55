import CZlib

/// A hash of everything combined into it; equal contents give equal hashes on all machines.
struct Fingerprint {
  private(set) var value: UInt64

  init(_ value: UInt64 = 0) { self.value = value }

  /// Adds an array of numbers: its count and checksum.
  mutating func combine<Element: BitwiseCopyable>(_ elements: [Element]) {
    elements.withUnsafeBytes { combine(count: elements.count, $0) }
  }

  /// Adds a number of elements and the checksum of their bytes.
  mutating func combine(count: Int, _ bytes: UnsafeRawBufferPointer) {
    let checksum = crc32_z(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    value = mixed(value ^ UInt64(count))
    value = mixed(value ^ UInt64(checksum))
  }
}

/// The output function of SplitMix64: a bijection in which each bit affects all others.
func mixed(_ value: UInt64) -> UInt64 {
  var z = value &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}
