import Configuration
import Foundation
import Settings
import Testing

/// Keys of `model` that changed, and the list of layers.
@Suite struct ModelKeysTests {
  private func read(
    _ yaml: String, _ overrides: [String] = []
  ) throws -> (configuration: TrainingConfiguration, warnings: [String]) {
    var warnings: [String] = []
    let configuration = try TrainingConfiguration(
      yaml: Data(yaml.utf8), path: "test.yaml", overrides: overrides,
      onWarning: { warnings.append($0) })
    return (configuration, warnings)
  }

  @Test("a list of layers is read from a file and from --set")
  func layers() throws {
    let yaml = "model:\n  kind: layers\n  layers: [conv 32 3, relu, flatten, linear 10]\n"
    let layers: SettingValue = .texts(["conv 32 3", "relu", "flatten", "linear 10"])
    let read = try read(yaml)
    #expect(read.configuration["model.layers"] == layers)
    #expect(read.warnings == [])
    let set = try self.read(
      "", ["model.kind=layers", "model.layers=[conv 32 3, relu, flatten, linear 10]"])
    #expect(set.configuration["model.layers"] == layers)
    let written = try self.read(read.configuration.yaml())
    #expect(written.configuration == read.configuration)
    let block =
      "model:\n  kind: layers\n  layers:\n    - residual [conv 1 3 padding same, relu]\n    - linear 4\n"
    #expect(
      try self.read(block).configuration["model.layers"]
        == .texts(["residual [conv 1 3 padding same, relu]", "linear 4"]))
  }

  @Test("layers that are a number are the blocks of a transformer, with a warning")
  func blocks() throws {
    let gpt = "model:\n  kind: gpt\n  layers: 2\ndata:\n  kind: text\n  path: x.txt\n"
    let old = try read(gpt)
    #expect(old.configuration["model.blocks"] == 2)
    #expect(old.warnings.count == 1 && old.warnings[0].contains("'model.blocks'"))
    let set = try read(
      gpt.replacingOccurrences(of: "layers: 2", with: "blocks: 3"), ["model.layers=5"])
    #expect(set.configuration["model.blocks"] == 5)
    #expect(set.warnings.count == 1)
    #expect(try read(old.configuration.yaml()).configuration == old.configuration)
  }

  @Test("a pattern that begins with a star needs quotes, and the error says so")
  func star() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try read("model:\n  freeze: [*.bias]\n")
    }
    #expect(error?.description.contains("begins with '*' needs quotes") == true)
    #expect(
      try read("model:\n  freeze: [\"*.bias\"]\n").configuration["model.freeze"]
        == .texts(["*.bias"]))
    #expect(
      try read("", ["model.freeze=[*.bias, 1]"]).configuration["model.freeze"]
        == .texts(["*.bias", "1"]))
  }
}
