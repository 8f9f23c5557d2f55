/// Numbers byte strings: each one that is new gets the next number.
struct WordTable {
  private struct Entry {
    let hash: UInt64
    let start: Int
    let count: Int
  }

  private var slots = [Int32](repeating: -1, count: 1 << 10)
  private var entries: [Entry] = []
  private var bytes: [UInt8] = []

  /// The number of byte strings.
  var count: Int { entries.count }
  /// The number of their bytes.
  var byteCount: Int { bytes.count }

  /// The bytes of a number.
  subscript(index: Int) -> ArraySlice<UInt8> {
    bytes[entries[index].start..<entries[index].start + entries[index].count]
  }

  /// The number of a byte string; nil if it has none.
  func index(of word: UTF8Bytes) -> Int? {
    let found = slots[slot(of: word, WordTable.hash(word))]
    return found < 0 ? nil : Int(found)
  }

  /// The number of a byte string, and whether it is new.
  @inline(__always)
  mutating func insert(_ word: UTF8Bytes) -> (index: Int, isNew: Bool) {
    let hash = WordTable.hash(word)
    let slot = slot(of: word, hash)
    if slots[slot] >= 0 { return (Int(slots[slot]), false) }
    let index = entries.count
    slots[slot] = Int32(index)
    entries.append(Entry(hash: hash, start: bytes.count, count: word.count))
    bytes.append(contentsOf: word)
    if 2 * entries.count > slots.count { grow() }
    return (index, true)
  }

  /// Forgets all byte strings, and keeps the memory.
  mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    for slot in slots.indices { slots[slot] = -1 }
  }

  @inline(__always)
  private func slot(of word: UTF8Bytes, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] >= 0 {
      let entry = entries[Int(slots[slot])]
      if entry.hash == hash, entry.count == word.count, isEqual(entry, word) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  @inline(__always)
  private func isEqual(_ entry: Entry, _ word: UTF8Bytes) -> Bool {
    bytes.withUnsafeBufferPointer { all in
      for i in 0..<word.count where all[entry.start + i] != word[i] { return false }
      return true
    }
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: 4 * slots.count)
    let mask = slots.count - 1
    for (index, entry) in entries.enumerated() {
      var slot = Int(truncatingIfNeeded: entry.hash) & mask
      while slots[slot] >= 0 { slot = (slot + 1) & mask }
      slots[slot] = Int32(index)
    }
  }

  /// Eight bytes at a time, each mixed by a multiplication.
  @inline(__always)
  private static func hash(_ word: UTF8Bytes) -> UInt64 {
    var hash = UInt64(word.count) &* 0x9E37_79B9_7F4A_7C15
    var i = 0
    while i + 8 <= word.count {
      let part = UnsafeRawPointer(word.baseAddress! + i).loadUnaligned(as: UInt64.self)
      hash = mix(hash ^ part)
      i += 8
    }
    var rest: UInt64 = 0
    while i < word.count {
      rest = rest << 8 | UInt64(word[i])
      i += 1
    }
    return mix(hash ^ rest)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
    return product.high ^ product.low
  }
}
