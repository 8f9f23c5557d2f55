import CMPI
import Collectives

/// MPI's names for an element type and its reductions.
struct MPIOperations {
  let datatype: MPI_Datatype
  private let max: MPI_Op
  private let min: MPI_Op

  subscript(operation: ReductionOperation) -> MPI_Op {
    switch operation {
    case .sum: cmpi_sum()
    case .max: max
    case .min: min
    }
  }

  static func floats() -> MPIOperations {
    MPIOperations(
      datatype: cmpi_float(),
      max: makeOperation { input, output, count, _ in
        accumulate(.max, input, output, count, of: Float.self)
      },
      min: makeOperation { input, output, count, _ in
        accumulate(.min, input, output, count, of: Float.self)
      })
  }

  static func doubles() -> MPIOperations {
    MPIOperations(
      datatype: cmpi_double(),
      max: makeOperation { input, output, count, _ in
        accumulate(.max, input, output, count, of: Double.self)
      },
      min: makeOperation { input, output, count, _ in
        accumulate(.min, input, output, count, of: Double.self)
      })
  }
}

/// Creates an operation of our own: with MPI's maximum and minimum the order matters for NaN, and it
/// is not the same on all ranks.
private func makeOperation(_ body: cmpi_operation_body) -> MPI_Op {
  var operation = cmpi_op()
  checkMPI(MPI_Op_create(body, 1, &operation.handle), "MPI_Op_create")
  return operation.handle
}

private func accumulate<Scalar: BinaryFloatingPoint>(
  _ operation: ReductionOperation, _ input: UnsafeMutableRawPointer?,
  _ output: UnsafeMutableRawPointer?, _ count: UnsafeMutablePointer<Int32>?, of type: Scalar.Type
) {
  guard let input, let output, let count else { return }
  operation.accumulate(
    UnsafePointer(input.assumingMemoryBound(to: type)), into: output.assumingMemoryBound(to: type),
    count: Int(count.pointee))
}
