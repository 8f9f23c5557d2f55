package import Base

/// Why a model cannot be exported.
package enum ExportError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// A layer of the program, or one that the other format does not have.
  case unknownLayer(String)
  /// The file would be longer than its format permits.
  case tooLarge(byteCount: Int, limit: Int)

  /// What is wrong, and the remedy.
  package var description: String {
    switch self {
    case .unknownLayer(let type):
      """
      the model has a layer of type \(type), which cannot be exported: only the library's own layers \
      can. The weights can be read by other programs as they are: model.safetensors in the checkpoint
      """
    case .tooLarge(let byteCount, let limit):
      """
      the model takes \(grouped(byteCount)) bytes, and a file of ONNX at most \(grouped(limit)): export \
      it with --pytorch
      """
    }
  }

  /// Bad data.
  package var exitStatus: ExitStatus { .badData }
}
