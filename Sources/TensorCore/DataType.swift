internal import CKernels

/// The type of a tensor's elements.
public enum DataType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
  /// Single precision, the default.
  case float32
  /// Double precision, for gradient checks and small exact computations.
  case float64
  /// Integers: labels, tokens and the indices that operations return. Never differentiable.
  case int32
  /// The upper half of a float32, for mixed precision: 8 bits of exponent and 8 of precision.
  ///
  /// A type to store and multiply: other arithmetic is done in float32 and rounded, and the results of
  /// reductions and losses are float32. With an operand of another type, the result has that type, except
  /// for matrix products and convolutions, which round the other operand.
  case bfloat16
  /// Integers up to 2^63: counts, sums of integers. Never differentiable.
  case int64
  /// True or false: the results of comparisons, masks. Never differentiable.
  case bool

  /// The size of an element in bytes.
  public var byteCount: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .bfloat16: 2
    case .bool: 1
    }
  }
  /// The type in which elements are added up: float32 for bfloat16, else this one.
  var sumType: DataType { self == .bfloat16 ? .float32 : self }
  /// Whether gradients can flow through tensors of this type.
  public var isFloatingPoint: Bool { category == .floatingPoint }
  /// Whether this is a type of integers.
  public var isInteger: Bool { category == .integer }
  /// The name, as in `float32`.
  public var description: String {
    switch self {
    case .float32: "float32"
    case .float64: "float64"
    case .int32: "int32"
    case .bfloat16: "bfloat16"
    case .int64: "int64"
    case .bool: "bool"
    }
  }

  /// The kernels' name of this type.
  var kernelType: ck_type {
    switch self {
    case .float32: ck_f32
    case .float64: ck_f64
    case .int32: ck_i32
    case .bfloat16: ck_bf16
    case .int64: ck_i64
    case .bool: ck_bool
    }
  }

  /// The kind of values.
  var category: Category {
    switch self {
    case .float32, .float64, .bfloat16: .floatingPoint
    case .int32, .int64: .integer
    case .bool: .bool
    }
  }

  /// The kinds of values; each can hold those before it.
  enum Category: Int, Comparable {
    case bool
    case integer
    case floatingPoint

    static func < (a: Category, b: Category) -> Bool { a.rawValue < b.rawValue }
  }
}

/// A Swift type that tensors can hold: `Float`, `Double`, `Int`, `Int32`, `Int64` or `Bool`.
public protocol TensorScalar: Hashable, Sendable {
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
extension Int64: TensorScalar {
  /// The element type `.int64`.
  public static var dataType: DataType { .int64 }
}
extension Int: TensorScalar {
  /// The element type `.int64`.
  public static var dataType: DataType { .int64 }
}
extension Bool: TensorScalar {
  /// The element type `.bool`.
  public static var dataType: DataType { .bool }
}
