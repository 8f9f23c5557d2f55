import ArgumentParser
import Base
import Checkpointing
import Configuration
import DataLoading
import Foundation
import Lockstep

struct DataPreview: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "preview",
    abstract: "Shows the first training samples.",
    usage: "\(programName) data preview [<config>] [<options>]",
    discussion: """
      Images are shown in a terminal with 24-bit colors, and written as one PNG with --output; of \
      tables and texts the first rows are printed. Inputs are shown as they were before they were \
      normalized.

        lockstep data preview photos.yaml --augmented --output sheet.png
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(help: "How many samples.")
  var samples = 16

  @Flag(help: "Show images as the first epoch of training sees them, changed at random.")
  var augmented = false

  @Option(help: ArgumentHelp("Write the images as this PNG file.", valueName: "file"))
  var output: String?

  func validate() throws {
    guard (1...10_000).contains(samples) else {
      throw ValidationError("--samples must be from 1 to 10000")
    }
  }

  func run() {
    withSession("data preview") { communicator in
      let configuration = try configuration.load(communicator)
      let threads = communicator.threadsPerRank()
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        try show(configuration.openData(threads: threads))
      }
      return .success
    }
  }

  private func show(_ data: DataSplits) throws {
    let indices = data.spacedSamples(samples)
    let preview = try SamplePreview(data.train, indices, epoch: augmented ? 0 : nil)
    if let images = ImagePreparation(inputShape: data.train.inputShape), !preview.inputs.isEmpty {
      let columns = min(indices.count, 8)
      let sheet = ImageSheet(
        preview.inputs, images, data.preparation.standardization, columns: columns)
      if let output {
        try FileSystem().replaceFile(output) { file in
          try sheet.png.withUnsafeBytes(file.write)
        }
      }
      if Terminal.standardOutputHasTrueColors {
        sheet.terminalLines(columns: Terminal.standardOutputColumns).forEach(printLine)
      }
    } else if output != nil {
      throw CommandError("--output is for images, which this data is not", .usage)
    }
    for (row, index) in indices.enumerated() {
      printLine("\(index)\t\(target(preview, row, data))\t\(input(preview, row, data))")
    }
  }

  /// The target of a sample in words.
  private func target(_ preview: SamplePreview, _ row: Int, _ data: DataSplits) -> String {
    func name(_ label: Int32) -> String {
      data.preparation.classes?.name(Int(label)) ?? String(label)
    }
    if !preview.values.isEmpty {
      return preview.values[row].prefix(4).map { "\($0)" }.joined(separator: " ")
    }
    guard let label = preview.labels[row].first, preview.tokens.isEmpty else { return "" }
    guard !preview.mixed.isEmpty, preview.mixed[row].share < 1 else { return name(label) }
    let mixed = preview.mixed[row]
    return String(format: "%.2f ", mixed.share) + name(label)
      + String(format: " + %.2f ", 1 - mixed.share) + name(mixed.label)
  }

  /// The input of a sample in words.
  private func input(_ preview: SamplePreview, _ row: Int, _ data: DataSplits) -> String {
    if !preview.tokens.isEmpty {
      let tokens = preview.tokens[row].prefix(64)
      let text = data.preparation.tokenizer?.decode(tokens)
      return text.map { $0.debugDescription } ?? tokens.map(String.init).joined(separator: " ")
    }
    let shape = data.train.inputShape
    guard shape.count == 1 else { return shape.map(String.init).joined(separator: " x ") }
    let values =
      data.preparation.standardization?.undone(preview.inputs[row]) ?? preview.inputs[row]
    let shown = values.prefix(12).map { String(format: "%g", $0) }.joined(separator: " ")
    return shown + (values.count > 12 ? " ..." : "")
  }
}
