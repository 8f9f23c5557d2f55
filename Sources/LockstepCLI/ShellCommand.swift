import Base
import Configuration

/// The command that resumes a run, to be pasted into a shell: its own configuration and directory, with
/// twice the length where it is finished and is to be trained for longer.
func resumeCommand(
  _ configuration: TrainingConfiguration, in directory: String, twiceAsLong: Bool = false
) -> String {
  var words = [CommandLine.arguments[0], "train", directory.appendingPath("config.yaml")]
  words += ["--run-dir", directory]
  if twiceAsLong {
    let key = configuration["training.steps"] == .null ? "training.epochs" : "training.steps"
    if case .integer(let length) = configuration[key] {
      words += ["--set", "\(key)=\(2 * length)"]
    }
  }
  return shellCommand(words)
}

/// A command that a shell reads as these words.
func shellCommand(_ words: [String]) -> String {
  words.map(shellWord).joined(separator: " ")
}

/// A word, in single quotes where a shell would read it otherwise.
private func shellWord(_ word: String) -> String {
  let plain = word.unicodeScalars.allSatisfy { scalar in
    scalar.isASCII
      && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        || "%+,-./:=@_".unicodeScalars.contains(scalar))
  }
  if plain && !word.isEmpty { return word }
  return "'" + word.replacing("'", with: #"'\''"#) + "'"
}
