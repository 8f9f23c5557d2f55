public import DataLoading
public import NeuralNetworks
import Settings
public import Training

extension Trainer {
  /// Runs the command `lockstep` with a model and data of this program's own: `train`, `eval`, `predict`,
  /// `graph`, `config` and all others, with their options and configuration files, alone or under mpirun.
  ///
  ///     import LockstepCLI
  ///
  ///     Trainer.main(
  ///       name: "spirals",
  ///       model: { shapes in
  ///         Sequential(Linear(shapes.inputs, 32), Tanh(), Linear(32, shapes.outputs))
  ///       },
  ///       data: { DataSplits(train: spirals(1000), validation: spirals(200)) })
  ///
  /// Each is then the default of `model.kind` or `data.kind`, under `name`. Call it once, first thing in
  /// the program; it ends the process.
  ///
  /// - Parameters:
  ///   - name: What checkpoints and configurations call the model and the data: letters, digits, '-', '_'.
  ///   - model: Makes the model for the shape of a sample and the number of outputs. Initial
  ///     values from `Initializer`, as those of all layers, follow `training.seed`.
  ///   - data: Reads the samples, the same on all ranks; nil is data that the configuration names.
  public static func main(
    name: String = "own",
    model: @escaping @Sendable (ModelKind.Shapes) throws -> any Layer,
    data: (@Sendable () throws -> DataSplits)? = nil
  ) -> Never {
    main(model: ModelKind(name, make: model), data: data.map { DataFormat(name, open: $0) })
  }

  /// The same with data of this program and a model that the configuration names.
  ///
  /// - Parameters:
  ///   - name: What checkpoints and configurations call the data.
  ///   - data: Reads the samples, the same on all ranks.
  public static func main(
    name: String = "own", data: @escaping @Sendable () throws -> DataSplits
  ) -> Never {
    main(model: nil, data: DataFormat(name, open: data))
  }

  /// The same with a model and data that have settings, which are then keys of the configuration's sections
  /// `model` and `data`.
  ///
  ///     struct Widths: SettingsGroup {
  ///       @Setting("units of the hidden layer", in: 1...4096) var hidden = 32
  ///     }
  ///
  ///     Trainer.main(
  ///       model: ModelKind("spirals", settings: Widths()) { shapes, widths in
  ///         Sequential(
  ///           Linear(shapes.inputs, widths.hidden), Tanh(), Linear(widths.hidden, shapes.outputs))
  ///       },
  ///       data: DataFormat("spirals", SpiralSource()))
  ///
  /// - Parameters:
  ///   - model: The model; nil is one that the configuration names.
  ///   - data: The data, such as a `DataSource` of the program; nil is data that the configuration names.
  public static func main(model: ModelKind? = nil, data: DataFormat? = nil) -> Never {
    if let model { ModelKind.add(model) }
    if let data { DataFormat.add(data) }
    LockstepCommand.start()
  }
}
