// Gives what libFuzzer makes up to the readers of files. A reader may refuse an input with an error; a
// trap, an access out of bounds, too much memory or too much time ends the program, and libFuzzer keeps
// the input.
//
// Usage: ReaderFuzzer READER [LIBFUZZER-OPTION...] [CORPUS]
//
//   READER  safetensors, csv, npy, idx or text
import Foundation
import Lockstep

typealias Test = @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt

@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: Test
) -> CInt

/// A folder for the inputs of readers that open files.
nonisolated(unsafe) var folder = FileManager.default.temporaryDirectory
  .appendingPathComponent("reader-fuzzer-\(getpid())").path

func save(_ bytes: Data, as name: String) -> String {
  let path = folder + "/" + name
  _ = FileManager.default.createFile(atPath: path, contents: bytes)
  return path
}

let readers: [String: (Data) throws -> Void] = [
  "safetensors": {
    let file = try SafetensorsFile(data: $0, path: "input")
    for entry in file.entries {
      _ = try? file.floats(of: entry)
      _ = try? file.integers(of: entry)
    }
  },
  "csv": { _ = try CSVSource(path: save($0, as: "samples.csv")).open() },
  "npy": {
    _ = save($0, as: "inputs.npy")
    _ = save($0, as: "targets.npy")
    _ = try NumPySource(path: folder).open()
  },
  "idx": {
    _ = save($0, as: "train-images-idx3-ubyte")
    _ = save($0, as: "train-labels-idx1-ubyte")
    _ = try IDXSource(path: folder).open()
  },
  "text": { _ = try TextSource(path: save($0, as: "input.txt")).open() },
]

// A C function cannot capture the reader, but it can name a global.
nonisolated(unsafe) var reader: (Data) throws -> Void = { _ in }

guard CommandLine.argc > 1, let chosen = readers[CommandLine.arguments[1]] else {
  print("the first argument is a reader: \(readers.keys.sorted().joined(separator: ", "))")
  exit(64)
}
reader = chosen
try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
// libFuzzer's options follow the reader's name, which takes the place of the program's.
var count = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
let code = runFuzzer(&count, &arguments) { start, count in
  try? reader(start.map { Data(bytes: $0, count: count) } ?? Data())
  return 0
}
try? FileManager.default.removeItem(atPath: folder)
exit(code)
