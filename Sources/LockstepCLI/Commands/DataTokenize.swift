import ArgumentParser
import Base
import DataLoading
import Foundation
import Lockstep
import Logging

struct DataTokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Turns texts into files of tokens.",
    usage: "\(programName) data tokenize <inputs> ... --output <folder> [<options>]",
    discussion: """
      Writes train.bin, val.bin and tokenizer.json into a folder, which data.path of a \
      configuration can name. Training maps these files into memory: they may be larger \
      than it.

        lockstep data tokenize texts/ --tokenizer train --vocabulary 4096 -o tokens
        lockstep train configs/shakespeare-gpt.yaml --set data.path=tokens
      """)

  @Argument(
    help: "Texts in UTF-8: files, folders of .txt and .jsonl files, or patterns; may be gzipped.")
  var inputs: [String]

  @Option(
    help: ArgumentHelp(
      "train, or a tokenizer.json, or a folder with it or with vocab.json and merges.txt.",
      valueName: "path"))
  var tokenizer = "train"

  @Option(help: "The number of tokens of a tokenizer that is trained.")
  var vocabulary = 4096

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder to write.", valueName: "folder"))
  var output: String

  @Option(help: "The layout of the token files: nanogpt or llmc.")
  var layout = TokenFileLayout.nanoGPT

  @Option(help: "The fraction of the tokens, at the end, that goes into val.bin; 0 is none.")
  var validation = 0.1

  @Option(help: "The key of the text in the objects of .jsonl files.")
  var textField = "text"

  func validate() throws {
    guard (257...1 << 20).contains(vocabulary) else {
      throw ValidationError("--vocabulary must be from 257 to 1048576: all bytes are tokens")
    }
    guard validation >= 0, validation < 1 else {
      throw ValidationError("--validation must be at least 0 and below 1")
    }
  }

  func run() {
    withSession("data tokenize") { communicator in
      try communicator.collectiveTry { if communicator.isRoot { try tokenize() } }
      return .success
    }
  }

  private func tokenize() throws {
    let files = TextFiles(try inputs.flatMap(paths), field: textField)
    let tokenizer = try makeTokenizer(files)
    var clock = Stopwatch()
    var counts = (bytes: 0, documents: 0)
    let writer = try TokenWriter(folder: output, layout, vocabularySize: tokenizer.vocabularySize)
    try tokenizer.forEachToken(of: files, counts: &counts) { writer.append($0) }
    let seconds = clock.lap()
    let (train, validation) = try writer.finish(validation: validation, tokenizer)
    let tokens = train + validation
    let speed = Double(counts.bytes) / 1e6 / seconds
    printLine(
      "texts       \(count(files.paths.count, "file")) · \(count(counts.documents, "document")) · "
        + "\(grouped(counts.bytes)) bytes")
    printLine(
      "tokens      \(grouped(tokens)) · \(fixed(Double(counts.bytes) / Double(max(tokens, 1)), 2)) bytes each · "
        + "\(fixed(seconds, 2)) s · \(fixed(speed, 1)) MB/s")
    printLine("train.bin   \(grouped(train)) tokens")
    if validation > 0 { printLine("val.bin     \(grouped(validation)) tokens") }
    printLine("use them    --set data.kind=text --set data.path=\(output)")
  }

  /// The files that an argument names.
  private func paths(at path: String) throws -> [String] {
    let paths = TextFiles.paths(at: path)
    guard !paths.isEmpty else {
      throw CommandError("\(path): there is no text; expected \(TextFiles.expected)", .inputMissing)
    }
    return paths
  }

  private func makeTokenizer(_ files: TextFiles) throws -> BytePairTokenizer {
    guard tokenizer == "train" else { return try BytePairTokenizer(path: tokenizer) }
    var clock = Stopwatch()
    var trainer = BytePairTrainer()
    try files.forEachPart(isWhole: false) { text, _ in trainer.add(text) }
    let trained = trainer.tokenizer(vocabularySize: vocabulary)
    printLine(
      "tokenizer   \(grouped(trained.vocabularySize)) tokens · trained in \(fixed(clock.lap(), 2)) s"
    )
    if trained.vocabularySize < vocabulary {
      logger.warning(
        "the texts have pairs for \(grouped(trained.vocabularySize)) tokens only, not for \(grouped(vocabulary))"
      )
    }
    return trained
  }

  private func fixed(_ number: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", number)
  }
}

extension TokenFileLayout: ExpressibleByArgument {}
