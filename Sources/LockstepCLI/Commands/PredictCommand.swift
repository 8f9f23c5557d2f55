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
      probability, or the predicted values, separated by tabs.
      """)

  @OptionGroup var checkpoint: CheckpointOptions

  @Argument(help: "Files of samples without labels: .npy, .csv or IDX images.")
  var inputs: [String]

  @Option(help: "float32 or bfloat16. (default: that of the training)")
  var precision: Precision?

  @Flag(help: "Print a JSON object for each sample, with the probabilities of all classes.")
  var json = false

  func run() {
    withSession("predict", predict)
  }

  private func predict(_ communicator: any Communicator) throws -> ExitStatus {
    Threads.count = communicator.threadsPerRank()
    let lines = try communicator.collectiveTry {
      let predictor = try Predictor(checkpoint.open(communicator), precision: precision)
      return try inputs.flatMap { path in
        try predictor.predictions(for: path).enumerated().map { index, prediction in
          json
            ? prediction.json(path, index, predictor.classes)
            : "\(path)\t\(index)\t\(prediction.text(predictor.classes))"
        }
      }
    }
    if communicator.isRoot { lines.forEach(printLine) }
    return .success
  }
}

extension Prediction {
  /// The class and its probability, or the values.
  fileprivate func text(_ classes: Classes?) -> String {
    switch self {
    case .probabilities(let all):
      let best = all.indices.max { all[$0] < all[$1] }!
      return (classes?.name(best) ?? String(best)) + String(format: "\t%.4f", all[best])
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
