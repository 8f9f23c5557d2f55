import Base
import Collectives
import Dispatch
import Foundation
import Logging
import Synchronization

/// Requests to stop that arrive as signals.
enum StopSignals {
  private static let last = Atomic<Int32>(0)
  private static let saveIsRequested = Atomic<Bool>(false)
  private static let interruptCount = Atomic<Int>(0)
  private static let controlCCount = Atomic<Int>(0)
  private static let queue = DispatchQueue(label: "stop signals")
  /// A source that nobody holds reports nothing.
  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  /// Whether a request to stop is only noted, so that the command can end in order.
  private static let isSaving = Atomic(true)
  /// Whether a repeated request ends the process.
  private static let endsAtSecond = Atomic(true)

  /// From now on a request to stop waits for a checkpoint.
  static func beginToSave() { isSaving.store(true, ordering: .relaxed) }

  /// The number of the signal that came last; nil when none came.
  static var requested: Int32? {
    let number = last.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// How often SIGINT came, as with Ctrl-C.
  static var interrupts: Int { controlCCount.load(ordering: .relaxed) }

  /// Whether requests to save a checkpoint can be met.
  private static let takesSaveRequests = Atomic(true)

  /// From now on a request to save a checkpoint is only answered by a warning.
  static func refuseToSave() { takesSaveRequests.store(false, ordering: .relaxed) }

  /// Whether SIGUSR2 came since the last call.
  static func takeSaveRequest() -> Bool {
    saveIsRequested.exchange(false, ordering: .relaxed)
  }

  /// Takes SIGTERM, SIGINT and SIGUSR1 as requests to stop; a second SIGTERM or SIGINT ends the
  /// process at once with 128 + its number.
  ///
  /// With `untilSaving`, the first one ends the process too until `beginToSave()`, with exit code 75:
  /// there is nothing to save.
  ///
  /// SIGUSR2 is a request to save a checkpoint. Writing to a closed pipe, or beyond a file's limit, becomes an error of the write.
  ///
  /// With `forChildren`, for a command that passes requests on to a job and waits for its end, SIGHUP is
  /// a request too, unless it was ignored (nohup), and a repeated one does not end the process.
  static func observe(untilSaving: Bool = false, forChildren: Bool = false) {
    isSaving.store(!untilSaving, ordering: .relaxed)
    endsAtSecond.store(!forChildren, ordering: .relaxed)
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    // Sources are registered on another thread; until then a signal would end the process.
    let registered = DispatchGroup()
    for number in [SIGTERM, SIGINT, SIGUSR1, SIGUSR2]
      + (forChildren && !ignoresHangUp ? [SIGHUP] : [])
    {
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      registered.enter()
      source.setRegistrationHandler { registered.leave() }
      source.setEventHandler { receive(number, count: Int(source.data)) }
      source.activate()
      sources.append(source)
    }
    registered.wait()
  }

  private static var ignoresHangUp: Bool {
    var action = sigaction()
    sigaction(SIGHUP, nil, &action)
    // SIG_IGN is the handler 1.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  private static func receive(_ number: Int32, count: Int) {
    guard number != SIGUSR2 else {
      guard takesSaveRequests.load(ordering: .relaxed) else {
        return logger.warning(
          "USR2 saves no checkpoint: the launcher does not pass it on; USR1 saves one and stops")
      }
      return saveIsRequested.store(true, ordering: .relaxed)
    }
    guard isSaving.load(ordering: .relaxed) else {
      // With SIGTERM a launcher also ends ranks after another one has failed.
      if LauncherEnvironment().map({ $0.rank == 0 && number != SIGTERM }) ?? true {
        logger.notice("stopped before the first step; nothing was to be saved")
      }
      _exit(ExitStatus.stoppedAndSaved.rawValue)
    }
    last.store(number, ordering: .relaxed)
    if number == SIGINT { controlCCount.add(count, ordering: .relaxed) }
    guard number != SIGUSR1, endsAtSecond.load(ordering: .relaxed) else { return }
    let (_, interrupts) = interruptCount.add(count, ordering: .relaxed)
    if interrupts > 1 { _exit(128 + number) }
  }
}
