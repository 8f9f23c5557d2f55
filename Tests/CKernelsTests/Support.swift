import CKernels
import Testing

/// A Swift type with kernels of its own.
protocol KernelElement: Sendable, BitwiseCopyable {
  static var type: ck_type { get }
}
extension Float: KernelElement { static var type: ck_type { ck_f32 } }
extension Double: KernelElement { static var type: ck_type { ck_f64 } }
extension Int32: KernelElement { static var type: ck_type { ck_i32 } }
extension Int64: KernelElement { static var type: ck_type { ck_i64 } }
extension UInt8: KernelElement { static var type: ck_type { ck_bool } }

/// A bfloat16 number, for tests: the upper half of a float.
struct BFloat16: Equatable, KernelElement {
  static var type: ck_type { ck_bf16 }
  var bits: UInt16

  /// Rounds to nearest, ties to even.
  init(_ value: Float) {
    let pattern = value.bitPattern
    bits = UInt16(
      truncatingIfNeeded: value.isNaN
        ? pattern >> 16 | 0x40 : (pattern &+ 0x7fff &+ (pattern >> 16 & 1)) >> 16)
  }
  var float: Float { Float(bitPattern: UInt32(bits) << 16) }
}

/// The numbers rounded to bfloat16.
func narrowed(_ x: [Float]) -> [BFloat16] { x.map { BFloat16($0) } }

/// Records one issue for the first element that is not the exact number rounded to bfloat16, but for an error
/// of `tolerance` times the largest number.
func expectRounded(
  _ values: [BFloat16], _ exact: [Float], _ tolerance: Float, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(values.count == exact.count, sourceLocation: sourceLocation)
  let largest = exact.map(abs).max() ?? 0
  let wrong = values.indices.first {
    !(abs(values[$0].float - exact[$0]) <= abs(exact[$0]) / 256 + tolerance * largest)
  }
  if let wrong {
    Issue.record(
      "\(what): element \(wrong) of \(values.count) is \(values[wrong].float), not \(exact[wrong])",
      sourceLocation: sourceLocation)
  }
}

/// Memory as workspaces need it, full of NaN, to notice what is read before it is written.
func withMemory(_ byteCount: Int, _ body: (UnsafeMutableRawPointer) -> Void) {
  let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
  defer { memory.deallocate() }
  memory.initializeMemory(as: UInt8.self, repeating: 0xff, count: byteCount)
  body(memory)
}

/// Lengths around the widths of vectors, blocks and the threshold of several threads.
let lengths = [0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1000, 40001]

/// A small generator of numbers that are the same in every run.
struct Numbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -3...3) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }

  mutating func doubles(_ count: Int, in range: ClosedRange<Double> = -3...3) -> [Double] {
    (0..<count).map { _ in Double.random(in: range, using: &self) }
  }

  mutating func integers(_ count: Int, in range: ClosedRange<Int32>) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: range, using: &self) }
  }
}

/// The distance between `value` and the exact result, in units of the last place of the result.
func ulps(_ value: Float, from exact: Double) -> Double {
  let rounded = Float(exact)
  if rounded.isNaN || value.isNaN { return rounded.isNaN && value.isNaN ? 0 : .infinity }
  if rounded.isInfinite || value.isInfinite { return rounded == value ? 0 : .infinity }
  return abs(Double(value) - exact) / Double(rounded.ulp)
}

/// Whether two numbers agree within a relative and absolute tolerance; NaN agrees with NaN.
func close(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
  if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
  if a == b { return true }
  return abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}

/// Records one issue for the first element that is not close.
func expectClose<T: BinaryFloatingPoint>(
  _ values: [T], _ expected: [Double], _ tolerance: Double, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(values.count == expected.count, sourceLocation: sourceLocation)
  let wrong = values.indices.first { !close(Double(values[$0]), expected[$0], tolerance) }
  if let wrong {
    Issue.record(
      "\(what): element \(wrong) of \(values.count) is \(values[wrong]), not \(expected[wrong])",
      sourceLocation: sourceLocation)
  }
}

/// A result between guard elements, to notice a kernel that writes past its end.
func guarded<T: KernelElement & Equatable>(
  _ count: Int, guard value: T, _ body: (UnsafeMutablePointer<T>) -> Void
)
  -> [T]
{
  let margin = 20
  var memory = [T](repeating: value, count: count + 2 * margin)
  memory.withUnsafeMutableBufferPointer { buffer in
    if let base = buffer.baseAddress { body(base + margin) }
  }
  let untouched =
    memory.prefix(margin).allSatisfy { $0 == value }
    && memory.suffix(margin).allSatisfy { $0 == value }
  #expect(untouched, "wrote outside the result of \(count) elements")
  return Array(memory[margin..<(margin + count)])
}
