import Base
import Checkpointing
import Collectives
import Configuration
import DataLoading
import Foundation
import Settings
import TensorCore
import TestSupport
import Testing
import Training

@Suite("TextGenerator")
struct TextGeneratorTests {
  @Test("a language model learns a pattern and continues it", arguments: ["gpt", "llama", "lstm"])
  func pattern(_ kind: String) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/text.txt"
      try String(repeating: "abcd", count: 500).write(
        toFile: path, atomically: true, encoding: .utf8)
      var configuration = TrainingConfiguration()
      configuration["model.kind"] = .text(kind)
      if kind == "llama" {
        configuration["model.keyValueHeads"] = 1
        configuration["model.checkpointing"] = true
      }
      configuration["model.blocks"] = 1
      configuration["model.heads"] = 2
      configuration["model.width"] = 16
      configuration["data.kind"] = "text"
      configuration["data.path"] = .text(path)
      configuration["data.blockSize"] = 8
      configuration["training.steps"] = 60
      configuration["training.globalBatch"] = 8
      configuration["optimizer.kind"] = "adamw"
      configuration["optimizer.learningRate"] = 0.01
      let store = CheckpointStore(directory: directory + "/checkpoints", keep: 1)
      try store.prepare()
      let trainer = try Trainer(configuration, SingleProcess())
      _ = try trainer.train(store: store)
      let generator = try TextGenerator(store.checkpoint(step: 60))
      #expect(
        try generator.text(after: "bcd", count: 9, TokenSampling(temperature: 0), seed: 1)
          == "bcdabcdabcda")
      #expect(
        try generator.text(after: "", count: 20, TokenSampling(), seed: 3)
          == generator.text(after: "", count: 20, TokenSampling(), seed: 3))
      let error = #expect(throws: (any Error).self) {
        try generator.text(after: "x", count: 1, TokenSampling(temperature: 0), seed: 1)
      }
      #expect(error.map { ExitStatus($0) } == .badData)
    }
  }
}
