import ArgumentParser
import Foundation
import Lockstep
import Reporting
import Synchronization
import Training

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Shows runs in a browser while they train.",
    usage: "\(programName) watch [<directory>] [<options>]",
    discussion: """
      Serves a list of all runs and the report of each, which renew themselves. It only reads, and \
      only for this computer, unless --host names another address: then the browser needs the token \
      that is printed. Ctrl-C ends it.

      From another computer without opening a port: ssh -L 8265:127.0.0.1:8265 HOST
      """)

  @Argument(
    help: ArgumentHelp("The directory that holds the runs, or a run.", valueName: "directory"))
  var directory = LoggingOptions().directory

  @Option(help: "The port; 0 takes any that is free.")
  var port: UInt16 = 8265

  @Option(help: ArgumentHelp("The address to listen on.", valueName: "address"))
  var host = "127.0.0.1"

  @Option(
    help: ArgumentHelp(
      "What a browser must show as ?token= once, or a program as Authorization: Bearer. (default: none on this computer, else a new one)",
      valueName: "secret"))
  var token: String?

  func validate() throws {
    guard token.map({ AccessToken($0) != nil }) ?? true else {
      throw ValidationError("--token must have 8 to 200 letters, digits, '-', '_', '.' or '~'")
    }
  }

  func run() {
    withSession("watch") { communicator in
      try communicator.collectiveTry {
        guard communicator.worldSize == 1 else {
          throw CommandError("watch runs alone: start it without mpirun", .usage)
        }
        guard try FileSystem().findsDirectory(directory) else {
          throw CommandError(
            "there is no directory '\(directory)'; runs are below logging.directory, 'runs' unless set",
            .inputMissing)
        }
        try serve()
      }
      return .success
    }
  }

  private func serve() throws {
    signal(SIGPIPE, SIG_IGN)
    for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(0) } }
    let access =
      token.flatMap(AccessToken.init) ?? (WatchServer.isLoopback(host) ? nil : AccessToken())
    let server = try WatchServer(
      WatchSite(directory: directory), host: host, port: port, token: access)
    let end = Mutex<(any Error)?>(nil)
    let isOver = DispatchSemaphore(value: 0)
    Task {
      do {
        try await server.run { address in
          printLine("watch  \(address)")
          printLine("       Ctrl-C ends it")
        }
      } catch {
        end.withLock { $0 = error }
      }
      isOver.signal()
    }
    isOver.wait()
    if let error = end.withLock({ $0 }) { throw error }
  }
}
