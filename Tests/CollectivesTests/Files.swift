import Foundation

/// Calls `body` with a folder that has these files, and removes it.
func withFiles<Result>(
  _ files: [String: String], _ body: (_ root: String) throws -> Result
) throws -> Result {
  let root = FileManager.default.temporaryDirectory
    .appendingPathComponent("CollectivesTests-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: root) }
  for (path, text) in files {
    let file = root.appendingPathComponent(path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }
  return try body(root.path)
}
