import ArgumentParser
import Base
import Checkpointing
import DataLoading
import Foundation
import Lockstep

struct DataFetch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Downloads a public data set.",
    usage: "\(programName) data fetch <data-set> [<options>]",
    discussion: """
      Files are recognized by their SHA-256. An interrupted download resumes, and what is \
      there already stays. Needs the programs curl and sha256sum.

        lockstep data fetch mnist
        lockstep data fetch https://host/corpus.txt --to data/corpus
      """)

  @Argument(
    help: ArgumentHelp(
      "\(RemoteDataSet.all.map(\.name).joined(separator: ", ")), or the address of a file.",
      valueName: "data-set"))
  var dataSet: String

  @Option(
    help: ArgumentHelp("The folder to write. (default: data/<data-set>)", valueName: "folder"))
  var to: String?

  @Option(
    help: ArgumentHelp(
      "The address of a folder that has the files, instead of the known ones.", valueName: "url"))
  var mirror: String?

  @Option(
    help: ArgumentHelp(
      "The SHA-256 that the file of an address must have. (default: any)", valueName: "digits"))
  var sha256: String?

  private var isAddress: Bool { dataSet.hasPrefix("http://") || dataSet.hasPrefix("https://") }

  func validate() throws {
    guard isAddress || RemoteDataSet.all.contains(where: { $0.name == dataSet }) else {
      let names = RemoteDataSet.all.map(\.name)
      let suggestion =
        nearestWord(to: dataSet, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw ValidationError(
        "'\(dataSet)' is none of \(names.joined(separator: ", ")), and no address that begins with "
          + "https://\(suggestion)")
    }
    guard !isAddress || fileName.isPlainFileName else {
      throw ValidationError("the address '\(dataSet)' does not end with the name of a file")
    }
    guard !isAddress || mirror == nil else {
      throw ValidationError("--mirror is for the data sets that are known by name")
    }
    if let sha256 {
      guard isAddress else { throw ValidationError("--sha256 is for the address of a file") }
      guard sha256.utf8.count == 64, sha256.allSatisfy(\.isHexDigit) else {
        throw ValidationError("--sha256 must be 64 hexadecimal digits")
      }
    }
  }

  /// The name of an address's file.
  private var fileName: String {
    // The scheme and the host come first.
    let parts = dataSet.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").dropFirst(2)
    return parts.last.map(String.init) ?? ""
  }

  func run() {
    withSession("data fetch") { communicator in
      StopSignals.observe()
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        if let known = RemoteDataSet.all.first(where: { $0.name == dataSet }) {
          try fetch(known)
        } else {
          let folder = to ?? "data"
          try FileSystem().makeDirectories(folder)
          try fetch(
            Download(
              addresses: [dataSet], path: folder.appendingPath(fileName), byteCount: nil,
              sha256: sha256?.lowercased()))
        }
      }
      return .success
    }
  }

  private func fetch(_ known: RemoteDataSet) throws {
    let folder = to ?? "data/\(known.name)"
    try FileSystem().makeDirectories(folder)
    let mirrors = mirror.map { [$0.hasSuffix("/") ? $0 : $0 + "/"] } ?? known.mirrors
    for file in known.files {
      try fetch(
        Download(
          addresses: mirrors.map { $0 + file.name }, path: folder.appendingPath(file.name),
          byteCount: file.byteCount, sha256: file.sha256,
          remedy: "; or name another place that has the file with --mirror"))
    }
    if !known.unpacked.isEmpty {
      try unpack(folder.appendingPath(known.files[0].name), known.unpacked, into: folder)
    }
    let path = known.path.map { folder.appendingPath($0) } ?? folder
    printLine("use it      data:\n              kind: \(known.kind)\n              path: \(path)")
    printLine("train       lockstep train \(known.example) --set data.path=\(path)")
  }

  private func fetch(_ download: Download) throws {
    let name = URL(filePath: download.path).lastPathComponent
    if try download.isDone() {
      printLine("\(name)  is there, and has the right SHA-256")
      return
    }
    let sha256 = try download.run { bytes in
      Activity.advance()
      showProgress(name, bytes, of: download.byteCount)
    }
    showProgress(nil, 0, of: nil)
    printLine(
      "\(download.path)  SHA-256 \(sha256)\(download.sha256 == nil ? "" : ", as it must be")")
  }

  /// Shows how far a download is, where standard error is a terminal; nil clears the line.
  private func showProgress(_ name: String?, _ bytes: Int, of total: Int?) {
    guard Terminal.columns != nil else { return }
    let share = total.map { " of \(grouped($0))" } ?? ""
    let line = name.map { "\($0)  \(grouped(bytes))\(share) bytes" } ?? ""
    try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K\(line)".utf8))
  }

  /// Takes files out of an archive; each appears whole or not at all.
  private func unpack(_ archive: String, _ names: [String], into folder: String) throws {
    var missing = Set(names)
    let fileSystem = FileSystem()
    try TarArchive(path: archive).forEachFile(where: { missing.contains($0) }) { name, content in
      Activity.advance()
      let temporary = folder.appendingPath(".\(name)-\(getpid()).tmp")
      try? fileSystem.remove(temporary)
      let file = try fileSystem.createFile(temporary)
      try content.withUnsafeBytes { try file.write($0) }
      try file.finish()
      try fileSystem.rename(temporary, to: folder.appendingPath(name))
      missing.remove(name)
    }
    guard missing.isEmpty else {
      throw CommandError(
        "\(archive) does not have \(missing.sorted().joined(separator: ", "))", .badData)
    }
    printLine("unpacked    \(names.joined(separator: ", "))")
  }
}
