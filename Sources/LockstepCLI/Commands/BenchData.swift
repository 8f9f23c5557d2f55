import ArgumentParser
import Base
import Configuration
import Foundation
import Lockstep
import Training

struct BenchData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Times reading the training samples of a configuration.",
    usage: "\(programName) bench data [<config>] [<options>]",
    discussion: """
      Reads batches as training does, with its random changes of images, and prints samples per \
      second of a rank. --set data.decodeThreads=1 measures one thread.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(help: ArgumentHelp("About how long to measure.", valueName: "seconds"))
  var seconds = 5.0

  func validate() throws { try validate(seconds: seconds) }

  func run() {
    withSession("bench data") { communicator in
      let configuration = try configuration.load(communicator)
      let threads = communicator.threadsPerRank()
      let rate = try communicator.collectiveTry {
        let options = try configuration.group(Trainer.Options.self)
        let data = try configuration.openData(threads: threads).train
        let sampler = GlobalBatchSampler(
          for: data, globalBatch: min(options.globalBatch, data.count), seed: UInt64(options.seed))
        let loader = DataLoader(data, sampler: sampler)
        _ = try loader.next()  // opens files and starts threads
        var read = 0
        var stopwatch = Stopwatch()
        var elapsed = 0.0
        while elapsed < seconds {
          read += try loader.next().count
          elapsed += stopwatch.lap()
        }
        return Double(read) / elapsed
      }
      if communicator.isRoot {
        printLine(String(format: "%.1f samples/s, %.3f ms per sample", rate, 1_000 / rate))
      }
      return .success
    }
  }
}
