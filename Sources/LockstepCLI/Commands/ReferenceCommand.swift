import ArgumentParser
import Checkpointing
import Lockstep

struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference",
    abstract: "Writes pages about all commands and settings, for man or for the documentation.",
    usage: "\(programName) reference [--man <folder>] [--docc <folder>]",
    discussion: """
      The pages are made from the commands and settings of this program, also those of its own model.

        lockstep reference --man ~/.local/share/man
        man lockstep-train
      """)

  @Option(
    help: ArgumentHelp(
      "Write manual pages to the folders man1 and man5 of this one.", valueName: "folder"))
  var man: String?

  @Option(help: ArgumentHelp("Write articles in Markdown to this catalog.", valueName: "folder"))
  var docc: String?

  func validate() throws {
    if man == nil && docc == nil { throw ValidationError("name a folder with --man or --docc") }
  }

  func run() {
    withSession("reference") { communicator in
      guard communicator.isRoot else { return .success }
      if let man {
        for page in try ManualPages.all() {
          try write(page.text, to: man.appendingPath("man\(page.name.suffix(1))"), page.name)
        }
      }
      if let docc {
        for page in try ReferencePages.all() { try write(page.text, to: docc, page.name + ".md") }
      }
      return .success
    }
  }

  private func write(_ text: String, to folder: String, _ name: String) throws {
    try FileSystem().makeDirectories(folder)
    try FileSystem().replaceFile(folder.appendingPath(name), with: text)
  }
}
