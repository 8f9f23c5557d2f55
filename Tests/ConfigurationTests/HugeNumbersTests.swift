import Base
import Collectives
import Configuration
import Foundation
import Settings
import Testing
import Training

/// Sets every number of a configuration to the ends of its type: each is refused with one message, or
/// trains; nothing traps.
@Suite("Huge numbers") struct HugeNumbersTests {
  /// The keys of a type, with the options that make the configuration use them.
  private static func keys(
    _ isChosen: (SettingType) -> Bool
  ) -> [(path: String, needs: [String])] {
    ConfigurationKey.all.filter { isChosen($0.declaration.type) && $0.section != "data" }.map {
      ($0.path, $0.kinds.isEmpty ? [] : ["\($0.section).kind=\($0.kinds[0])"])
    }
  }

  private static let integerKeys = keys {
    switch $0 {
    case .integer, .integers: true
    default: false
    }
  }
  private static let numberKeys = keys {
    if case .number = $0 { true } else { false }
  }

  /// Trains a step, if the configuration is accepted; returns whether it was.
  private func trains(_ overrides: [String]) throws -> Bool {
    let small = ["model.hidden=[4]", "training.steps=4", "training.globalBatch=16"]
    let text = overrides.contains("model.kind=gpt")
    let images = overrides.contains("model.kind=cnn")
    // A text and larger images need files; their models are made elsewhere.
    if text || images {
      do {
        _ = try TrainingConfiguration(
          overrides: overrides + (text ? ["data.kind=text", "data.path=x"] : []))
      } catch {
        #expect([.configuration, .usage].contains(error.exitStatus), "\(overrides): \(error)")
      }
      return false
    }
    do {
      let configuration = try TrainingConfiguration(overrides: small + overrides)
      let trainer = try Trainer(configuration, SingleProcess())
      _ = try trainer.train(store: nil, maximumSteps: 2)
      return true
    } catch let error as any ExitStatusProviding {
      #expect(
        [.configuration, .nonFiniteLoss].contains(error.exitStatus), "\(overrides): \(error)")
      #expect(!"\(error)".contains("\n"), "\(overrides): \(error)")
      return false
    }
  }

  @Test("every integer setting", arguments: integerKeys.map(\.path))
  func integers(path: String) throws {
    let needs = try #require(Self.integerKeys.first { $0.path == path }).needs
    for value in [
      "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-1", "0",
      "4611686018427387904", "4294967296", "1000000001",
    ] {
      _ = try trains(needs + ["\(path)=\(value)"])
    }
  }

  @Test("every number setting", arguments: numberKeys.map(\.path))
  func numbers(path: String) throws {
    let needs = try #require(Self.numberKeys.first { $0.path == path }).needs
    for value in ["1.7976931348623157e308", "1e309", "5e-324", "-1e308", "nan", "inf", "0x1p3"] {
      _ = try trains(needs + ["\(path)=\(value)"])
    }
  }

  @Test(
    "numbers of steps and samples have limits",
    arguments: [
      ("training.epochs", 1_000_000_000), ("training.steps", 1_000_000_000_000_000),
      ("training.globalBatch", 1_000_000_000), ("training.evaluationBatches", 1_000_000_000),
      ("training.microBatches", 1_000_000),
    ])
  func limits(path: String, limit: Int) throws {
    for value in [limit + 1, .max] {
      let error = #expect(throws: ConfigurationError.self) {
        try TrainingConfiguration(overrides: ["\(path)=\(value)"])
      }
      #expect(error?.exitStatus == .configuration)
      #expect(
        error?.description.contains("allowed: an integer from 1 to \(limit)") == true,
        "\(error?.description ?? "")")
    }
    #expect(
      try TrainingConfiguration(
        overrides: ["training.globalBatch=1000000000", "\(path)=\(limit)"])[path]
        == .integer(limit))
  }

  @Test("the longest run that is allowed has a number of steps, and is evaluated")
  func longest() throws {
    let configuration = try TrainingConfiguration(overrides: [
      "training.epochs=1000000000", "training.evaluateEverySteps=1",
      "training.evaluationBatches=1000000000", "training.globalBatch=1000",
    ])
    let trainer = try Trainer(configuration, SingleProcess())
    #expect(trainer.totalSteps == 2_000_000_000)
    var tests = 0
    _ = try trainer.train(
      store: nil, maximumSteps: 2,
      onEvent: { event in
        if case .epoch(let report) = event, report.validation?.sampleCount == 359 { tests += 1 }
      })
    #expect(tests == 2)
  }
}
