import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Training

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "Prints a trained model's predictions for samples.",
    usage: "\(programName) predict <run-or-checkpoint> <inputs> ... [<options>]",
    discussion: """
      Prints a line for each sample: the file, the sample's number, and the class with its \
      probability, or the predicted values, separated by tabs. --header names the columns.

      The file '-' is standard input: CSV, .npy, IDX or an image, which its first bytes show.
      """)

  @OptionGroup var checkpoint: CheckpointOptions

  @Argument(
    help:
      "Files of samples without labels: .npy, .csv, IDX images, JPEG or PNG; '-' is standard input."
  )
  var inputs: [String]

  @Option(help: "float32 or bfloat16. (default: that of the training)")
  var precision: Precision?

  @Flag(help: "Print the probabilities of all classes.")
  var probabilities = false

  @Flag(help: "Print the names of the columns first.")
  var header = false

  @Flag(help: "Print a JSON object for each sample, with the probabilities of all classes.")
  var json = false

  func run() {
    withSession("predict", predict)
  }

  func validate() throws {
    if json && (header || probabilities) {
      throw ValidationError("--json has names and all probabilities: leave out the other option")
    }
    if inputs.count(where: { $0 == "-" }) > 1 {
      throw ValidationError("standard input ('-') can be read once")
    }
  }

  private func predict(_ communicator: any Communicator) throws -> ExitStatus {
    Threads.count = communicator.threadsPerRank()
    var input: [UInt8] = []
    if inputs.contains("-") {
      // Launchers give standard input to rank zero alone.
      input = communicator.broadcast(
        communicator.isRoot ? Array(FileHandle.standardInput.readDataToEndOfFile()) : [])
    }
    let lines = try communicator.collectiveTry {
      let predictor = try Predictor(checkpoint.open(communicator), precision: precision)
      var lines: [String] = []
      for path in inputs {
        let predictions =
          path == "-"
          ? try predictor.predictions(forBytes: input, name: "standard input")
          : try predictor.predictions(for: path)
        for (index, prediction) in predictions.enumerated() {
          if header && lines.isEmpty { lines.append(columnNames(prediction, predictor.classes)) }
          lines.append(
            json
              ? prediction.json(path, index, predictor.classes)
              : "\(path)\t\(index)\t"
                + prediction.text(predictor.classes, allProbabilities: probabilities))
        }
      }
      return lines
    }
    if communicator.isRoot { lines.forEach(printLine) }
    return .success
  }

  /// The names of the columns of lines with such predictions.
  private func columnNames(_ prediction: Prediction, _ classes: Classes?) -> String {
    var names = ["file", "sample"]
    switch prediction {
    case .probabilities(let all):
      names += ["class", "probability"]
      if probabilities { names += all.indices.map { classes?.name($0) ?? String($0) } }
    case .values(let values):
      names += values.count == 1 ? ["value"] : values.indices.map { "value \($0)" }
    }
    return names.joined(separator: "\t")
  }
}

extension Prediction {
  /// The class and its probability, or the values.
  fileprivate func text(_ classes: Classes?, allProbabilities: Bool) -> String {
    switch self {
    case .probabilities(let all):
      let best = all.indices.max { all[$0] < all[$1] }!
      let shown = [all[best]] + (allProbabilities ? all : [])
      return (classes?.name(best) ?? String(best))
        + shown.map { String(format: "\t%.4f", $0) }.joined()
    case .values(let values): return values.map { "\($0)" }.joined(separator: "\t")
    }
  }

  fileprivate func json(_ path: String, _ index: Int, _ classes: Classes?) -> String {
    let (name, numbers) =
      switch self {
      case .probabilities(let all): ("probabilities", all)
      case .values(let values): ("values", values)
      }
    var record: JSONObject = ["file": path, "sample": index]
    if case .probabilities(let all) = self {
      let best = all.indices.max { all[$0] < all[$1] }!
      record.append("class", best)
      if let names = classes?.names { record.append("name", names[best]) }
    }
    record.append(name, numbers)
    return record.text
  }
}
