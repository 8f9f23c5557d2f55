internal import CKernels

/// The type of a tensor's elements.
public enum DataType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
  /// Single precision, the default.
  case float32
  /// Double precision, for gradient checks and small exact computations.
  case float64
  /// Integers: labels, tokens, indices and the results of comparisons. Never differentiable.
  case int32

  /// The size of an element in bytes.
  public var byteCount: Int { self == .float64 ? 8 : 4 }
  /// Whether gradients can flow through tensors of this type.
  public var isFloatingPoint: Bool { self != .int32 }
  /// The name, as in `float32`.
  public var description: String {
    switch self {
    case .float32: "float32"
    case .float64: "float64"
    case .int32: "int32"
    }
  }

  /// The kernels' name of this type.
  var kernelType: ck_type {
    switch self {
    case .float32: ck_f32
    case .float64: ck_f64
    case .int32: ck_i32
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
