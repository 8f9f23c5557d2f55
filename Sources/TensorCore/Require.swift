/// Stops the program with `message` after a mistake of the programmer, such as shapes that do not fit.
///
/// Unlike `precondition`, whose message disappears in release builds, it always says what was wrong.
@inline(__always)
package func require(
  _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String,
  file: StaticString = #fileID, line: UInt = #line
) {
  if !condition() { fatalError(message(), file: file, line: line) }
}

/// Stops the program unless `x`, and the other operands if there are any, have one floating-point
/// type; float32 and bfloat16 may be mixed.
@inline(__always)
func requireFloatingPoint(
  _ operation: StaticString, _ x: Tensor, _ a: Tensor? = nil, _ b: Tensor? = nil,
  file: StaticString = #fileID, line: UInt = #line
) {
  let type = x.dataType.sumType
  guard type.isFloatingPoint, (a?.dataType.sumType ?? type) == type,
    (b?.dataType.sumType ?? type) == type
  else {
    let operands = [x, a, b].compactMap { $0 }.map { "\($0.dataType) \($0.shape)" }
    fatalError(
      operands.count == 1
        ? "\(operation): a floating-point tensor is needed, not \(operands[0]); use converted(to:)"
        : "\(operation): \(operands.joined(separator: ", ")); all must be of one floating-point type; use converted(to:)",
      file: file, line: line)
  }
}

/// Stops the program unless a tensor of the type `dataType` can hold fractions.
func requireFloatingPoint(_ operation: StaticString, _ dataType: DataType) {
  require(
    dataType.isFloatingPoint, "\(operation): a floating-point type is needed, not \(dataType)")
}
