internal import CKernels

/// The address of an element, with its type; pointer arithmetic is in elements.
struct ElementPointer {
  let address: UnsafeMutableRawPointer
  let dataType: DataType

  static func + (pointer: ElementPointer, count: Int) -> ElementPointer {
    ElementPointer(
      address: pointer.address + count * pointer.dataType.byteCount, dataType: pointer.dataType)
  }

  /// Copies `count` elements of the same type from `source`, which does not overlap.
  func update(from source: ElementPointer, count: Int) {
    address.copyMemory(from: source.address, byteCount: count * dataType.byteCount)
  }

  /// Writes `value` to `count` elements.
  func update(repeating value: Double, count: Int) {
    ck_fill(dataType.kernelType, address, count, value)
  }

  /// Writes the element at `source`, which has the same type, to `count` elements.
  func update(repeating source: ElementPointer, count: Int) {
    ck_copy(dataType.kernelType, address, source.address, 1, count, 0, 1, 0, 0)
  }
}

extension Tensor {
  /// The first element's address with its type.
  final var elements: ElementPointer { ElementPointer(address: bytes, dataType: dataType) }
}
