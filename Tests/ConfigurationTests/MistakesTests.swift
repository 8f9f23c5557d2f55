import Base
import Configuration
import Testing

/// What is said of a wrong configuration: all mistakes at once, the right reason, and the name that another
/// tool's user may mean.
@Suite("Mistakes of a configuration") struct MistakesTests {
  private func message(_ yaml: String, _ overrides: [String] = []) -> String {
    let error = #expect(throws: ConfigurationError.self) { _ = try read(yaml, overrides) }
    #expect(error?.exitStatus == .configuration)
    return error?.description ?? ""
  }

  @Test("all mistakes are told at once, in the order of their lines, options last")
  func all() {
    let lines = message(
      """
      schedule:
        kind: step
        stepSize: 0
      training:
        epochs: 0
        batch_size: 64
      optimizer: adam
      data:
        kind: digits
        path: x
      distributed:
        fixedSlices: 3
      """, ["optimizer.nesterov=yes", "lr=3"]
    ).split(separator: "\n").map(String.init)
    let beginnings = [
      "the configuration has 8 mistakes:",
      "  run.yaml:3: 'schedule.stepSize'", "  run.yaml:5: 'training.epochs'",
      "  run.yaml:6: unknown key 'training.batch_size'", "  run.yaml:7: 'optimizer' is a section",
      "  run.yaml:10: 'data.path' is not for kind digits",
      "  run.yaml:12: 'distributed.fixedSlices' is 3",
      "  --set optimizer.nesterov=yes: 'optimizer.nesterov'", "  --set lr=3: unknown key 'lr'",
    ]
    #expect(lines.count == beginnings.count)
    for (line, beginning) in zip(lines, beginnings) {
      #expect(line.hasPrefix(beginning), "\(line)")
    }
  }

  @Test("what follows from a mistake is none of its own")
  func consequences() {
    // With the right name of the kind, the path belongs to it.
    #expect(
      message("data:\n  kind: csw\n  path: a.csv\n").hasPrefix(
        "run.yaml:2: 'data.kind' cannot be 'csw'"))
  }

  @Test(
    "the reason is the right one",
    arguments: [
      ("training.epochs", "0", "'0', which is out of range; allowed: an integer from 1"),
      ("training.epochs", "-3", "out of range"), ("training.seed", "-1", "out of range"),
      ("training.epochs", "99999999999999999999", "out of range"),
      ("optimizer.learningRate", "1e400", "out of range"),
      ("optimizer.learningRate", "0,1", "needs a point instead of the comma"),
      ("optimizer.learningRate", "nan", "not a finite number"),
      ("training.epochs", "010", "differs between readers of YAML"),
      ("training.epochs", "0x10", "differs between readers of YAML"),
      ("training.epochs", "1_000", "differs between readers of YAML"),
      ("training.epochs", "1e3", "not written as an integer"),
      ("model.hidden", "[64, 0]", "of which '0' is wrong, which is out of range"),
      ("model.hidden", "[64, a]", "of which 'a' is wrong;"),
      ("optimizer.nesterov", "True", "write true;"), ("optimizer.nesterov", "off", "write false;"),
      ("model.activation", "ReLU", "did you mean 'relu'?"),
      ("optimizer.kind", "nesterov", "did you mean 'sgd'?"),
      ("schedule.kind", "ReduceLROnPlateau", "did you mean 'plateau'?"),
      ("training.precision", "bf16", "did you mean 'bfloat16'?"),
      ("data.kind", "mnist", "did you mean 'idx'?"),
      ("model.kind", "transformer", "did you mean 'gpt'?"),
      ("schedule.kind", "cosine_annealing", "did you mean 'cosine'?"),
    ])
  func reasons(path: String, value: String, reason: String) {
    let text = message("", ["\(path)=\(value)"])
    #expect(text.contains(reason), "\(text)")
  }

  @Test(
    "names of other tools lead to ours",
    arguments: [
      ("lr", "optimizer.learningRate"), ("optimizer.lr", "optimizer.learningRate"),
      ("learning_rate", "optimizer.learningRate"), ("batch_size", "training.globalBatch"),
      ("training.batchSize", "training.globalBatch"), ("epochs", "training.epochs"),
      ("num_epochs", "training.epochs"), ("max_epochs", "training.epochs"),
      ("max_steps", "training.steps"), ("weight_decay", "optimizer.weightDecay"),
      ("seed", "training.seed"), ("num_workers", "data.decodeThreads"),
      ("gradient_accumulation_steps", "training.microBatches"),
      ("clip_grad_norm", "training.gradientClipNorm"), ("model.type", "model.kind"),
      ("optimizer.type", "optimizer.kind"), ("lr_scheduler", "schedule.kind"),
    ])
  func otherNames(name: String, key: String) {
    let text = message("", ["\(name)=1"])
    #expect(text.contains("unknown key '\(name)'; did you mean '\(key)'"), "\(text)")
  }

  @Test("all names lead to keys that there are")
  func allNames() {
    let paths = Set(ConfigurationKey.all.map(\.path))
    #expect(OtherNames.keys.values.filter { !paths.contains($0) } == [])
    #expect(OtherNames.keys.keys.allSatisfy { OtherNames.meaning(of: $0) != nil })
  }

  @Test("what is no setting here is told, too")
  func remarks() {
    #expect(message("device: cuda").contains("there is no GPU"))
    #expect(message("", ["world_size=4"]).contains("mpirun -np 4"))
  }
}
