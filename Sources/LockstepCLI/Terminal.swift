import Foundation

/// Properties of the terminal.
enum Terminal {
  /// Whether standard error shows colors.
  static var standardErrorHasColors: Bool {
    isatty(STDERR_FILENO) == 1 && isCapable
  }

  /// The columns of the terminal that shows standard error; nil if none does, or one without a size.
  ///
  /// A rank's standard error is a pipe to mpirun, which copies it to its own.
  static var columns: Int? {
    guard isCapable else { return nil }
    if isatty(STDERR_FILENO) == 1 { return columns(of: STDERR_FILENO) }
    guard let path = launcherTerminal else { return nil }
    let descriptor = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return columns(of: descriptor)
  }

  /// Whether standard output shows 24-bit colors.
  static var standardOutputHasTrueColors: Bool {
    let colors = ProcessInfo.processInfo.environment["COLORTERM"] ?? ""
    return isatty(STDOUT_FILENO) == 1 && isCapable && ["truecolor", "24bit"].contains(colors)
  }

  /// The columns of standard output's terminal; 80 if it has no size.
  static var standardOutputColumns: Int { columns(of: STDOUT_FILENO) ?? 80 }

  private static func columns(of descriptor: CInt) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// The terminal on which the mpirun that started this process writes its standard error, if it is on this
  /// computer and copies lines as they are.
  private static let launcherTerminal: String? = {
    let environment = ProcessInfo.processInfo.environment
    let changesLines = ["tag_output", "timestamp_output", "xml_output", "output_filename"]
      .contains { environment["OMPI_MCA_orte_\($0)"] != nil }
    let parent = "/proc/\(getppid())"
    guard environment["OMPI_COMM_WORLD_SIZE"] != nil, !changesLines,
      let name = try? String(contentsOfFile: parent + "/comm", encoding: .utf8),
      ["mpirun", "orterun", "mpiexec"].contains(name.trimmingCharacters(in: .newlines)),
      let path = try? FileManager.default.destinationOfSymbolicLink(atPath: parent + "/fd/2"),
      path.hasPrefix("/dev/pts/") || path.hasPrefix("/dev/tty")
    else { return nil }
    return path
  }()

  private static var isCapable: Bool {
    let environment = ProcessInfo.processInfo.environment
    return environment["TERM"] ?? "dumb" != "dumb" && environment["NO_COLOR"] ?? "" == ""
  }
}
