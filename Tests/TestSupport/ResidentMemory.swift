import Foundation

/// The bytes of this process that are in the computer's memory.
package func residentBytes() throws -> Int {
  let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  return Int(fields[1])! * sysconf(Int32(_SC_PAGESIZE))
}
