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
  FileManager.default.createFile(atPath: path, contents: bytes)
  return path
}

let readers: [String: Test] = [
  "safetensors": { start, count in
    let data = start.map { Data(bytes: $0, count: count) } ?? Data()
    guard let file = try? SafetensorsFile(data: data, path: "input") else { return 0 }
    for entry in file.entries {
      _ = try? file.floats(of: entry)
      _ = try? file.integers(of: entry)
    }
    return 0
  },
  "csv": { start, count in
    let data = start.map { Data(bytes: $0, count: count) } ?? Data()
    _ = try? CSVSource(path: save(data, as: "samples.csv")).read()
    return 0
  },
  "npy": { start, count in
    let data = start.map { Data(bytes: $0, count: count) } ?? Data()
    _ = save(data, as: "inputs.npy")
    _ = save(data, as: "targets.npy")
    _ = try? NumPySource(path: folder).read()
    return 0
  },
  "idx": { start, count in
    let data = start.map { Data(bytes: $0, count: count) } ?? Data()
    _ = save(data, as: "train-images-idx3-ubyte")
    _ = save(data, as: "train-labels-idx1-ubyte")
    _ = try? IDXSource(path: folder).read()
    return 0
  },
  "text": { start, count in
    let data = start.map { Data(bytes: $0, count: count) } ?? Data()
    _ = try? TextSource(path: save(data, as: "input.txt")).read()
    return 0
  },
]

guard CommandLine.argc > 1, let reader = readers[CommandLine.arguments[1]] else {
  print("the first argument is a reader: \(readers.keys.sorted().joined(separator: ", "))")
  exit(64)
}
try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
// libFuzzer's options follow the reader's name, which takes the place of the program's.
var count = CommandLine.argc - 1
var arguments = CommandLine.unsafeArgv + 1
let code = runFuzzer(&count, &arguments, reader)
try? FileManager.default.removeItem(atPath: folder)
exit(code)
