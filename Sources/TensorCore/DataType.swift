internal import CKernels

/// The type of a tensor's elements.
public enum DataType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
  /// Single precision, the default.
  case float32
  /// Double precision, for gradient checks and small exact computations.
  case float64
  /// Integers: labels, tokens, indices and the results of comparisons. Never differentiable.
  case int32
  /// The upper half of a float32, for mixed precision: 8 bits of exponent and 8 of precision.
  ///
  /// A type to store and multiply: other arithmetic is done in float32 and rounded, and the results of
  /// reductions and losses are float32. With an operand of another type, the result has that type, except
  /// for matrix products and convolutions, which round the other operand.
  case bfloat16

  /// The size of an element in bytes.
  public var byteCount: Int {
    switch self {
    case .float64: 8
    case .float32, .int32: 4
    case .bfloat16: 2
    }
  }
  /// The type in which elements are added up: float32 for bfloat16, else this one.
  var sumType: DataType { self == .bfloat16 ? .float32 : self }
  /// Whether gradients can flow through tensors of this type.
  public var isFloatingPoint: Bool { self != .int32 }
  /// The name, as in `float32`.
  public var description: String {
    switch self {
    case .float32: "float32"
    case .float64: "float64"
    case .int32: "int32"
    case .bfloat16: "bfloat16"
    }
  }

  /// The kernels' name of this type.
  var kernelType: ck_type {
    switch self {
    case .float32: ck_f32
    case .float64: ck_f64
    case .int32: ck_i32
    case .bfloat16: ck_bf16
    }
  }
}

/// A Swift type that tensors can hold: `Float`, `Double` or `Int32`.
public protocol TensorScalar: Numeric, Sendable, Comparable {
  /// The element type of tensors that hold values of this type.
  static var dataType: DataType { get }
}

extension Float: TensorScalar {
  /// The element type `.float32`.
  public static var dataType: DataType { .float32 }
}
extension Double: TensorScalar {
  /// The element type `.float64`.
  public static var dataType: DataType { .float64 }
}
extension Int32: TensorScalar {
  /// The element type `.int32`.
  public static var dataType: DataType { .int32 }
}
