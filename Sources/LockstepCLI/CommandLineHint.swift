import ArgumentParser
import Base
import Configuration

/// What may have been meant by a command line that was refused.
enum CommandLineHint {
  /// A hint for arguments that the argument parser refused; nil without one.
  ///
  /// - Parameters:
  ///   - arguments: The arguments, without the program's name.
  ///   - refusal: The parser's message.
  static func hint(for arguments: [String], refusal: String) -> String? {
    if let match = refusal.firstMatch(of: /Unknown option '(-[^']*)'/) {
      return optionHint(String(match.1), arguments, refusal)
    }
    if refusal.contains(/nexpected argument/) { return commandHint(arguments) }
    return nil
  }

  // MARK: Options

  private static func optionHint(
    _ option: String, _ arguments: [String], _ refusal: String
  ) -> String? {
    let name = plain(option)
    if let remark = options[name] { return remark }
    // The parser's suggestion is the same option in another spelling.
    if let suggestion = refusal.firstMatch(of: /Did you mean '([^']*)'/),
      plain(String(suggestion.1)) == name
    {
      return nil
    }
    switch OtherNames.meaning(of: String(option.drop { $0 == "-" })) {
    case .key(let key):
      let index = arguments.firstIndex { $0 == option || $0.hasPrefix(option + "=") }
      let value = index.flatMap { index -> String? in
        if let equals = arguments[index].firstIndex(of: "=") {
          return String(arguments[index][equals...].dropFirst())
        }
        let next = index + 1
        return next < arguments.count && !arguments[next].hasPrefix("-") ? arguments[next] : nil
      }
      return "settings are given with --set: "
        + shellCommand(["--set", "\(key)=\(value ?? "...")"])
    case .remark(let remark): return remark
    case nil: return nil
    }
  }

  private static func plain(_ option: String) -> String {
    option.lowercased().filter { $0 != "-" && $0 != "_" }
  }

  private static let options = [
    "resumefrom": "use --resume PATH, a run or a checkpoint",
    "resumefromcheckpoint": "use --resume PATH, a run or a checkpoint",
    "ckptpath": "use --resume PATH, a run or a checkpoint",
    "checkpoint":
      "a run or a checkpoint is named without an option, or with --resume PATH to train",
    "outputdir": "use --run-dir DIRECTORY", "outdir": "use --run-dir DIRECTORY",
    "config": "the configuration's file is named without an option: train FILE",
    "n": "start ranks with the launcher: mpirun -np N \(programName) ...",
    "np": "start ranks with the launcher: mpirun -np N \(programName) ...",
    "nprocpernode": "start ranks with the launcher: mpirun -np N \(programName) ...",
  ]

  // MARK: Commands

  /// The command that an unknown one may mean.
  private static func commandHint(_ arguments: [String]) -> String? {
    var command: any ParsableCommand.Type = LockstepCommand.self
    var path = [programName]
    for argument in arguments {
      let subcommands = command.configuration.subcommands
      guard !argument.hasPrefix("-"), !subcommands.isEmpty else { return nil }
      if let next = subcommands.first(where: { name($0) == argument }) {
        command = next
        path.append(argument)
        continue
      }
      let names = subcommands.map(name)
      let other = otherCommands[argument.lowercased()].flatMap { known($0) ? $0 : nil }
      if path.count == 1, let other { return "did you mean '\(programName) \(other)'?" }
      return nearestWord(to: argument, among: names).map {
        "did you mean '\((path + [$0]).joined(separator: " "))'?"
      } ?? "'\(path.joined(separator: " "))' has the commands \(names.joined(separator: ", "))"
    }
    return nil
  }

  /// Whether there is a command of this name, or of these two.
  private static func known(_ words: String) -> Bool {
    var command: any ParsableCommand.Type = LockstepCommand.self
    for word in words.split(separator: " ") {
      guard let next = command.configuration.subcommands.first(where: { name($0) == word })
      else { return false }
      command = next
    }
    return true
  }

  private static func name(_ command: any ParsableCommand.Type) -> String {
    command._commandName
  }

  private static let otherCommands = [
    "fit": "train", "run": "train", "training": "train", "resume": "train", "finetune": "train",
    "test": "eval", "evaluate": "eval", "validate": "eval", "score": "eval",
    "infer": "predict", "inference": "predict", "classify": "predict", "sample": "generate",
    "complete": "generate", "chat": "generate", "download": "data fetch", "fetch": "data fetch",
    "tokenize": "data tokenize", "pack": "data pack", "preview": "data preview",
    "schema": "config schema", "check": "config check", "show": "config show",
    "benchmark": "bench", "profile": "train", "env": "doctor", "collect-env": "doctor",
    "list": "runs", "ls": "runs", "compare": "runs compare", "plot": "report",
    "tensorboard": "report",
    "export": "checkpoint export", "convert": "checkpoint export", "average": "checkpoint average",
    "tune": "sweep", "serve": "watch", "ui": "watch",
  ]
}
