/// Stops the program with `message` when the caller has made a mistake, such as shapes that do not
/// fit.
///
/// Unlike `precondition`, which keeps its message for debug builds, it always says what was wrong.
@inline(__always)
package func require(
  _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String,
  file: StaticString = #fileID, line: UInt = #line
) {
  if !condition() { fatalError(message(), file: file, line: line) }
}
