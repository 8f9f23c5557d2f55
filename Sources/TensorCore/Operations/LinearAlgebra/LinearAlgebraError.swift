/// A matrix for which an operation of linear algebra has no result, PyTorch's `LinAlgError`.
///
/// Shapes that do not fit stop the program; this is about the elements, which are often data.
public struct LinearAlgebraError: Error, Equatable, CustomStringConvertible {
  /// What is wrong with a matrix.
  public enum Reason: String, Sendable {
    /// It has no inverse.
    case singular = "is singular"
    /// It is not positive definite, or not symmetric.
    case notPositiveDefinite = "is not positive definite"
    /// The iteration did not converge.
    case notConverged = "did not converge"
    /// It contains NaN or infinity.
    case notFinite = "contains NaN or infinity"
  }

  /// The operation, such as `solve`.
  public let operation: String
  /// What is wrong.
  public let reason: Reason
  /// The shape of the tensor.
  public let shape: TensorShape
  /// The number of the first such matrix, counted over all leading axes in row-major order.
  public let matrix: Int

  init(_ operation: StaticString, _ reason: Reason, _ shape: TensorShape, matrix: Int) {
    self.operation = "\(operation)"
    self.reason = reason
    self.shape = shape
    self.matrix = matrix
  }

  /// The error in one line.
  public var description: String {
    shape.count > 2
      ? "\(operation): matrix \(matrix) of the batch \(shape) \(reason.rawValue)"
      : "\(operation): the matrix \(shape) \(reason.rawValue)"
  }
}
