import Base
import Checkpointing
import Foundation
import Lockstep

/// The download of a file, from the first address that has it.
///
/// The program `curl` transfers the bytes: Foundation's URLSession would load forty libraries into each
/// process of each training. What was transferred stays beside the file, in `NAME.part`, until it is
/// whole and its checksum is right; an interrupted download resumes there.
struct Download {
  /// Where the file is; tried in this order.
  let addresses: [String]
  /// Where the file goes.
  let path: String
  /// The size; nil if it is not known.
  let byteCount: Int?
  /// The SHA-256 in hexadecimal digits; nil accepts any file.
  let sha256: String?
  /// What else a user can do when no address has the file.
  var remedy = ""

  /// How often a transfer that was cut off resumes at one address.
  private static let resumptions = 8
  /// curl's exit code of a server that cannot resume.
  private static let cannotResume: Int32 = 33

  private var part: String { path + ".part" }
  private var fileSystem: FileSystem { FileSystem() }

  /// Whether the file is there, with the right checksum.
  func isDone() throws -> Bool {
    guard fileSystem.exists(path), let sha256 else { return false }
    return try Download.sha256(of: path) == sha256
  }

  /// Downloads the file and returns its SHA-256.
  ///
  /// - Parameter onProgress: Called with the bytes that are there, a few times a second.
  func run(onProgress: (Int) -> Void) throws -> String {
    var failures: [(address: String, reason: String, isWrongFile: Bool)] = []
    for address in addresses {
      var resumptions = 0
      var mayRestart = true
      while true {
        let before = size
        let transfer = try Curl.transfer(
          address, to: part, largest: byteCount, onProgress: { onProgress(size) })
        if transfer.exitCode == 0, size > 0 {
          let found = try Download.sha256(of: part)
          if found == sha256 ?? found {
            try fileSystem.rename(part, to: path)
            return found
          }
          try fileSystem.remove(part)
          // The beginning may have come from elsewhere.
          if before > 0, mayRestart {
            mayRestart = false
            continue
          }
          failures.append(
            (address, "has another file: its SHA-256 is \(found) instead of \(sha256 ?? "")", true))
          break
        }
        if before > 0, mayRestart,
          transfer.exitCode == Download.cannotResume || transfer.status == 416
        {
          mayRestart = false
          try fileSystem.remove(part)
          continue
        }
        if size > before, resumptions < Download.resumptions {
          resumptions += 1
          usleep(UInt32(100_000 * resumptions))
          continue
        }
        failures.append((address, transfer.reason, false))
        break
      }
    }
    let lines = failures.map { "  \($0.address): \($0.reason)" }
    throw CommandError(
      "\(path) could not be downloaded:\n" + lines.joined(separator: "\n")
        + "\n  try again later: the download resumes\(remedy)",
      failures.allSatisfy(\.isWrongFile) ? .badData : .inputOutput)
  }

  private var size: Int {
    var status = stat()
    return stat(part, &status) == 0 ? Int(status.st_size) : 0
  }

  /// The SHA-256 of a file's content, by the program `sha256sum`.
  static func sha256(of path: String) throws -> String {
    let child = try ChildProcess(["sha256sum", "--", path])
    let code = child.wait(seconds: 3_600) ?? -1
    if code == 127 { throw CommandError.missing("sha256sum", "coreutils") }
    // A name with a backslash or a line break makes the line begin with a backslash.
    let digits = child.output.drop { $0 == "\\" }.prefix(64)
    guard code == 0, digits.count == 64, digits.allSatisfy(\.isHexDigit) else {
      throw CommandError(
        "\(path): sha256sum cannot read it: \(child.errors.split(separator: "\n").last ?? "")",
        .inputOutput)
    }
    return String(digits)
  }
}

extension CommandError {
  /// The error of a program that is not installed.
  fileprivate static func missing(_ program: String, _ package: String) -> CommandError {
    CommandError(
      "the program \(program) is missing: install it, with apt-get install \(package) for example",
      .programMissing)
  }
}

/// The program `curl`.
private enum Curl {
  /// How a transfer ended.
  struct Transfer {
    let exitCode: Int32
    /// The status of HTTP; nil if there was none.
    let status: Int?
    /// What went wrong, in curl's words.
    let reason: String
  }

  /// Transfers a file, and resumes where an earlier transfer ended.
  ///
  /// It gives up when nothing arrives for half a minute.
  static func transfer(
    _ address: String, to path: String, largest: Int?, onProgress: () -> Void
  ) throws -> Transfer {
    var command = [
      "curl", "--fail", "--silent", "--show-error", "--location", "--max-redirs", "10",
      "--proto", "=http,https", "--connect-timeout", "20", "--speed-limit", "1", "--speed-time",
      "30", "--continue-at", "-", "--output", path, "--write-out", "%{http_code}",
    ]
    if let largest { command += ["--max-filesize", String(largest)] }
    let child = try ChildProcess(command + ["--", address])
    while true {
      if let code = child.poll(seconds: 0.2) {
        if code == 127 { throw CommandError.missing("curl", "curl") }
        let lines = child.errors.split(separator: "\n")
        let reason = lines.last.map(String.init) ?? "curl ended with code \(code)"
        let status = Int(child.output.suffix(3)).flatMap { $0 > 0 ? $0 : nil }
        return Transfer(exitCode: code, status: status, reason: reason)
      }
      onProgress()
    }
  }
}
