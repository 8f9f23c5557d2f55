import Reporting
import TestSupport
import Training

/// A run's directory with these files.
struct RunFixture {
  let folder: TemporaryDirectory

  init(_ files: [String: String] = [:]) throws {
    folder = try TemporaryDirectory()
    try folder.write("done\n", to: "STATUS")
    for (name, text) in files { try folder.write(text, to: name) }
  }

  var directory: RunDirectory { RunDirectory(path: folder.path) }
  var history: RunHistory { RunHistory(directory) }
  /// The report without what the model does.
  var page: String { Report([history]).page }
}

/// The log of a run of some steps, with an evaluation after each tenth.
func log(steps: Int) -> String {
  (1...max(steps, 1)).prefix(steps).map { step in
    let loss = 1 / Double(step)
    var lines = """
      {"kind":"step","step":\(step),"epoch":1,"time":1764512345.5,"elapsed":\(step),"loss":\(loss),\
      "accuracy":0.5,"learningRate":0.1,"gradientNorm":1.5,"samplesPerSecond":100.0,"dataWait":0.001,\
      "communication":0.002,"memory":50000000}

      """
    if step % 10 == 0 {
      lines += """
        {"kind":"epoch","step":\(step),"epoch":\(step / 10),"loss":\(loss),"accuracy":0.5,\
        "learningRate":0.1,"samplesPerSecond":100.0,"seconds":10,"phases":{"data":[1,2],"compute":[3,4]}}
        {"kind":"eval","step":\(step),"epoch":\(step / 10),"loss":\(loss),"accuracy":0.75,"samples":10}

        """
    }
    return lines
  }.joined()
}
