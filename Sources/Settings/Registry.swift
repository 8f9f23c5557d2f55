import Synchronization

/// The entries of one kind that a configuration can name: those of the library, and those that a
/// program adds.
///
/// Names and settings of all entries are keys of the configuration, so a program adds its own first:
/// `add` traps once the list has been read.
public final class Registry<Entry: NamedEntry>: Sendable {
  private struct State {
    var added: [Entry] = []
    var isRead = false
  }

  private let builtIn: [Entry]
  private let state = Mutex(State())

  /// A registry of the library's entries.
  public init(_ builtIn: [Entry]) { self.builtIn = builtIn }

  /// Adds an entry of the program, which a configuration then names unless it says otherwise.
  ///
  /// Traps for a name that is taken or is no plain word, and once the list has been read.
  public func add(_ entry: Entry) {
    state.withLock { state in
      precondition(
        !state.isRead, "\(Entry.self) '\(entry.name)': add it before a configuration is read")
      precondition(
        !entry.name.isEmpty
          && entry.name.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_")
          },
        "\(Entry.self) '\(entry.name)': a name has letters, digits, '-' and '_' only")
      precondition(
        (builtIn + state.added).named(entry.name) == nil,
        "\(Entry.self) '\(entry.name)': there is one of this name already")
      state.added.append(entry)
    }
  }

  /// All entries, those of the program last.
  public var all: [Entry] {
    state.withLock { state in
      state.isRead = true
      return builtIn + state.added
    }
  }

  /// The name of the program's last entry; nil if it has added none.
  public var ownName: String? { all.count > builtIn.count ? all.last?.name : nil }

  /// Whether an entry of this name is the library's.
  public func isBuiltIn(_ name: String) -> Bool { builtIn.named(name) != nil }
}
