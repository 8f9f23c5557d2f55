internal import CKernels

/// The address of an element, with its type; pointer arithmetic is in elements.
struct ElementPointer {
  let address: UnsafeMutableRawPointer
  let dataType: DataType

  static func + (pointer: ElementPointer, count: Int) -> ElementPointer {
    ElementPointer(
      address: pointer.address + count * pointer.dataType.byteCount, dataType: pointer.dataType)
  }

  /// Writes `value` to `count` elements.
  func update(repeating value: Double, count: Int) {
    ck_fill(dataType.kernelType, address, count, value)
  }
}

extension Tensor {
  /// The first element's address with its type.
  final var elements: ElementPointer { ElementPointer(address: bytes, dataType: dataType) }
}
