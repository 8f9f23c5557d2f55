import Foundation
import Lockstep

/// A child process whose output goes to temporary files: unlike a pipe, a file does not fill up, and
/// a grandchild that keeps it open does not block us.
struct ChildProcess {
  /// Where its standard output goes.
  enum Output {
    /// To a file, for `output`.
    case kept
    /// To where ours goes.
    case inherited
  }

  private let process = Process()
  private let outputFile: FileHandle
  private let errorFile: FileHandle
  private let stopExitCode: Int32?

  /// Starts a command, whose program is found on the PATH.
  ///
  /// - Parameters:
  ///   - command: Its words.
  ///   - output: Where its standard output goes.
  ///   - stopExitCode: The exit code of this process when a signal ends it; nil is 128 and the signal's number.
  init(_ command: [String], output: Output = .kept, stopExitCode: Int32? = nil) throws {
    self.stopExitCode = stopExitCode
    func temporaryFile() throws -> FileHandle {
      guard let file = tmpfile() else {
        throw FileSystemError(.create, "a temporary file", code: errno)
      }
      defer { fclose(file) }
      return FileHandle(fileDescriptor: dup(fileno(file)), closeOnDealloc: true)
    }
    outputFile = output == .kept ? try temporaryFile() : .standardOutput
    errorFile = try temporaryFile()
    // `env` looks on the PATH; mpirun takes an absolute path as a hint for its other nodes.
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = outputFile
    process.standardError = errorFile
    try process.run()
  }

  /// Returns the exit code, 128 + the number of a signal, or nil after `seconds`.
  ///
  /// After that time, or when a signal ends this process, the child is stopped too.
  func wait(seconds: Double) -> Int32? {
    if let code = poll(seconds: seconds) { return code }
    stop()
    return nil
  }

  /// The same, but the child continues after that time.
  func poll(seconds: Double) -> Int32? {
    let end = Date(timeIntervalSinceNow: seconds)
    while process.isRunning {
      if let signal = StopSignals.requested {
        stop()
        exit(stopExitCode ?? 128 + signal)
      }
      guard Date() < end else { return nil }
      usleep(20_000)
    }
    return exitCode
  }

  /// The exit code, or 128 + the number of a signal; nil while it runs.
  var exitCode: Int32? {
    guard !process.isRunning else { return nil }
    let code = process.terminationStatus
    return process.terminationReason == .uncaughtSignal ? 128 + code : code
  }

  /// Sends a signal to the child alone: mpirun and srun forward some of them to their ranks.
  func send(_ signal: Int32) {
    if process.isRunning { kill(process.processIdentifier, signal) }
  }

  /// Ends the child and its children: mpirun needs some time for that.
  func stop() {
    for signal in [SIGTERM, SIGKILL] {
      // The child leads a process group of its own.
      kill(-process.processIdentifier, signal)
      for _ in 0..<500 where process.isRunning { usleep(20_000) }
    }
  }

  var output: String { text(outputFile) }
  var errors: String { text(errorFile) }

  /// What it has written to standard error after a number of bytes.
  func errors(after offset: Int) -> Data {
    var bytes = Data()
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      // Not `seek`: the child writes where the file's position is.
      let count = pread(
        errorFile.fileDescriptor, &chunk, chunk.count, off_t(offset + bytes.count))
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }

  private func text(_ file: FileHandle) -> String {
    try? file.seek(toOffset: 0)
    return String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
  }
}
