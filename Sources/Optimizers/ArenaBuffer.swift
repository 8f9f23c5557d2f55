package import CKernels
public import TensorCore

/// Numbers of an arena, or of a part of it: its values, its gradients, or an optimizer's state of each
/// element.
///
/// They are float32 or float64, as the arena's parameters.
///
/// A view: it does not keep the memory alive, the arena and the optimizer do.
public struct ArenaBuffer {
  /// The type of the numbers.
  public let dataType: DataType
  /// How many there are.
  public let count: Int
  /// The first one.
  package let address: UnsafeMutableRawPointer

  package init(_ address: UnsafeMutableRawPointer, count: Int, _ dataType: DataType) {
    (self.address, self.count, self.dataType) = (address, count, dataType)
  }

  /// One number.
  public subscript(index: Int) -> Double {
    get {
      assert((0..<count).contains(index), "ArenaBuffer: \(index) is not in 0..<\(count)")
      return dataType == .float64
        ? address.assumingMemoryBound(to: Double.self)[index]
        : Double(address.assumingMemoryBound(to: Float.self)[index])
    }
    nonmutating set {
      assert((0..<count).contains(index), "ArenaBuffer: \(index) is not in 0..<\(count)")
      if dataType == .float64 {
        address.assumingMemoryBound(to: Double.self)[index] = newValue
      } else {
        address.assumingMemoryBound(to: Float.self)[index] = Float(newValue)
      }
    }
  }

  /// Some of the numbers; the first of them has the index 0.
  public subscript(range: Range<Int>) -> ArenaBuffer {
    require(
      range.lowerBound >= 0 && range.upperBound <= count,
      "ArenaBuffer: \(range) is not in 0..<\(count)")
    return ArenaBuffer(pointer(at: range.lowerBound), count: range.count, dataType)
  }

  /// All numbers of a float32 buffer.
  public var floats: UnsafeMutableBufferPointer<Float> { elements() }

  /// All numbers of a float64 buffer.
  public var doubles: UnsafeMutableBufferPointer<Double> { elements() }

  private func elements<Scalar: TensorScalar>() -> UnsafeMutableBufferPointer<Scalar> {
    require(
      Scalar.dataType == dataType,
      "ArenaBuffer: the numbers are \(dataType), not \(Scalar.dataType)")
    return UnsafeMutableBufferPointer(
      start: address.assumingMemoryBound(to: Scalar.self), count: count)
  }

  /// The numbers as Doubles.
  public func array() -> [Double] { (0..<count).map { self[$0] } }

  /// Copies the numbers of another buffer of the same length and type into this one.
  public func copy(from other: ArenaBuffer) {
    require(
      other.count == count && other.dataType == dataType,
      "ArenaBuffer.copy: \(other.count) numbers \(other.dataType) for \(count) \(dataType)")
    address.copyMemory(from: other.address, byteCount: bytes.count)
  }

  /// Gives all numbers a value.
  public func fill(_ value: Double) { ck_fill(kernelType, address, count, value) }

  /// The address of a number.
  package func pointer(at index: Int) -> UnsafeMutableRawPointer {
    address + index * dataType.byteCount
  }

  /// The memory.
  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: address, count: count * dataType.byteCount)
  }

  /// The kernels' name of the type.
  package var kernelType: ck_type { dataType == .float64 ? ck_f64 : ck_f32 }
}
