import ArgumentParser
import Base
import Checkpointing
import Configuration
import DataLoading
import Foundation
import Lockstep
import Settings

struct DataPack: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Writes the images of a folder, decoded and resized, into one file.",
    usage: "\(programName) data pack <config-or-folder> <output> [<options>]",
    discussion: """
      Training from the file starts at once and decodes nothing: it is mapped into memory. Set \
      data.path to it, with data.kind images.

        lockstep data pack photos.yaml photos.images
        lockstep data pack photos photos.images --set data.resize=256
      """)

  @Argument(help: "A YAML file with data.kind images, or a folder of images.")
  var source: String

  @Argument(help: "The file to write.")
  var output: String

  @OptionGroup var set: OverrideOptions

  func run() {
    withSession("data pack") { communicator in
      let isFolder = FileSystem().isDirectory(source)
      let overrides =
        (isFolder ? ["data.kind=images", "data.path=\(source)"] : []) + set.overrides
      let configuration = try TrainingConfiguration(
        isFolder ? nil : source, overrides, on: communicator)
      let threads = communicator.threadsPerRank()
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        try pack(configuration, threads: threads)
      }
      return .success
    }
  }

  private func pack(_ configuration: TrainingConfiguration, threads: Int) throws {
    guard let images = try configuration.dataSource() as? ImagesSource else {
      throw ConfigurationError("'data.kind' is \(configuration["data.kind"]); images are packed")
    }
    let isTerminal = isatty(STDERR_FILENO) == 1
    var header: PackedImagesHeader?
    try FileSystem().replaceFile(output) { file in
      do {
        header = try images.pack(
          threads: images.decodeThreads ?? threads, write: file.write,
          progress: { done, all in
            guard isTerminal else { return }
            let line = "\r\(grouped(done)) of \(grouped(all)) images" + (done == all ? "\n" : "")
            try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
          })
      } catch let error as SettingError {
        throw ConfigurationError(error, section: "data")
      }
    }
    guard let header else { return }
    printLine(
      "\(output): \(grouped(header.training)) training, \(grouped(header.validation)) validation and "
        + "\(grouped(header.test)) test images; classes: \(grouped(header.classes.count))")
    printLine("train with --set data.kind=images --set data.path=\(output)")
  }
}
