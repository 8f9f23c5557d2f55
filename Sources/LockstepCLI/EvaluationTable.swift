import Base
import DataLoading
import Foundation
import Training

/// The lines of an evaluation, class by class.
struct EvaluationTable {
  /// The most classes whose whole matrix is printed.
  private static let largestMatrix = 20
  /// The most pairs of confused classes that are listed instead.
  private static let pairCount = 20

  let confusion: ConfusionMatrix
  let classes: Classes?

  /// The scores of each class, and which classes were taken for which.
  var lines: [String] {
    scoreLines + [""]
      + (confusion.counts.count <= EvaluationTable.largestMatrix ? matrixLines : pairLines)
  }

  private func name(_ label: Int) -> String { classes?.name(label) ?? String(label) }

  private var scoreLines: [String] {
    func fixed(_ value: Double?) -> String { value.map { String(format: "%.4f", $0) } ?? "-" }
    let rows = confusion.scores.enumerated().map { label, scores in
      [
        name(label), grouped(scores.support), fixed(scores.precision), fixed(scores.recall),
        fixed(scores.f1),
      ]
    }
    let header = ["class", "samples", "precision", "recall", "F1"]
    return alignedColumns([header] + rows + [["mean F1", "", "", "", fixed(confusion.macroF1)]])
  }

  private var matrixLines: [String] {
    let labels = confusion.counts.indices
    let rows = labels.map { label in
      [name(label)] + confusion.counts[label].map { $0 == 0 ? "·" : String($0) }
    }
    return ["rows: the true class; columns: the predicted class"]
      + alignedColumns([[""] + labels.map(name)] + rows)
  }

  private var pairLines: [String] {
    let pairs = confusion.counts.enumerated().flatMap { label, row in
      row.enumerated().compactMap { predicted, count in
        predicted != label && count > 0 ? (label: label, predicted: predicted, count: count) : nil
      }
    }.sorted { ($1.count, $0.label, $0.predicted) < ($0.count, $1.label, $1.predicted) }
    if pairs.isEmpty { return ["no sample was taken for one of another class"] }
    return ["most often taken for another class"]
      + alignedColumns(
        [["class", "predicted", "samples"]]
          + pairs.prefix(EvaluationTable.pairCount).map {
            [name($0.label), name($0.predicted), grouped($0.count)]
          })
      + (pairs.count > EvaluationTable.pairCount
        ? ["and \(pairs.count - EvaluationTable.pairCount) other pairs"] : [])
  }
}

extension DetailedEvaluation {
  /// The scores of classes, or the errors of values, as JSON.
  func json(_ classes: Classes?) -> JSONObject {
    var record = JSONObject()
    if let confusion {
      record.append(
        "classes",
        confusion.scores.enumerated().map { label, scores -> JSONObject in
          [
            "class": label, "name": classes?.names?[label], "samples": scores.support,
            "precision": scores.precision, "recall": scores.recall, "f1": scores.f1,
          ]
        })
      record.append("meanF1", confusion.macroF1)
      record.append("confusion", confusion.counts)
    }
    if let valueErrors {
      record.append(
        "values",
        valueErrors.map { errors -> JSONObject in
          [
            "meanAbsoluteError": errors.meanAbsoluteError,
            "rootMeanSquaredError": errors.rootMeanSquaredError, "r2": errors.r2,
          ]
        })
    }
    return record
  }
}
