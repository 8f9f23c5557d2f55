import Base
package import DataLoading
import Foundation

/// What a model predicts from what, in words for a user.
public struct TaskSummary: Sendable, Equatable {
  /// "3 classes: setosa (40), versicolor (40), virginica (38)", "10 classes of 803 to 1,021 samples",
  /// "1 value: mean 50738, standard deviation 1200" or "next of 65 tokens".
  public let targets: String
  /// "4 features", "images 1 x 28 x 28" or "64 tokens".
  public let inputs: String
  /// What the user should know, such as a class that is missing in a part of the data.
  public let warnings: [String]

  /// The most classes that are listed.
  private static let mostListed = 12

  /// Describes a task.
  public init(_ task: TrainingTask) { self.init(task.data) }

  /// Describes data.
  package init(_ data: DataSplits) {
    let preparation = data.preparation
    var warnings: [String] = []
    switch data.train.targetKind {
    case .tokens(let vocabulary, _): targets = "next of \(grouped(vocabulary)) tokens"
    case .values(let shape):
      let values = count(shape.reduce(1, *), "value")
      if let standardization = preparation.targetStandardization,
        standardization.means.count == 1
      {
        targets =
          "\(values): mean \(shortest(standardization.means[0])), standard deviation "
          + shortest(standardization.stds[0])
      } else {
        targets = values
      }
    case .classes(let classCount):
      let classes = preparation.classes ?? Classes(count: classCount)
      let counts = DataPart.allCases.map { data[$0].classCounts(classCount) }
      var text = count(classCount, "class", plural: "classes")
      if let training = counts[0] {
        if classes.names == nil {
          let (fewest, most) = (training.min() ?? 0, training.max() ?? 0)
          text +=
            fewest == most
            ? " of \(count(most, "sample"))" : " of \(grouped(fewest)) to \(count(most, "sample"))"
        } else {
          let listed = training.enumerated().prefix(Self.mostListed).map { label, count in
            "\(classes.name(label)) (\(grouped(count)))"
          }
          text +=
            ": " + listed.joined(separator: ", ") + (classCount > listed.count ? ", ..." : "")
        }
      }
      targets = text
      for (part, counts) in zip(["training", "validation", "test"], counts) {
        guard let counts, counts.contains(where: { $0 > 0 }) else { continue }
        let missing = counts.indices.filter { counts[$0] == 0 }.map(classes.name)
        guard !missing.isEmpty else { continue }
        warnings.append(
          "no \(part) sample has the \(missing.count == 1 ? "class" : "classes") "
            + missing.prefix(Self.mostListed).joined(separator: ", ")
            + (missing.count > Self.mostListed ? ", ..." : ""))
      }
    }
    let shape = data.train.inputShape
    inputs =
      data.train.inputKind != .numbers
      ? "\(shape[0]) tokens"
      : shape.count == 1
        ? count(shape[0], "feature") : shape.map(String.init).joined(separator: " x ")
    self.warnings = warnings
  }
}

extension Dataset {
  /// How many samples each class has; nil if that is not known without reading them.
  fileprivate func classCounts(_ classes: Int) -> [Int]? {
    guard let labels else { return nil }
    var counts = [Int](repeating: 0, count: classes)
    for label in labels { counts[Int(label)] += 1 }
    return counts
  }
}

/// A number with six significant digits.
private func shortest(_ value: Float) -> String { String(format: "%.6g", value) }
