/// What other tools call the settings: PyTorch's optimizers, Hugging Face's Trainer, Lightning, Keras,
/// nanoGPT, Slurm's and torchrun's launchers.
package enum OtherNames {
  /// What a name stands for.
  package enum Meaning: Equatable {
    /// A key of the configuration.
    case key(String)
    /// Something that the configuration does not say; what to do instead.
    case remark(String)
  }

  /// The meaning of a key or of an option of another tool, in any spelling: `learning_rate`,
  /// `optimizer.lr`, `--batch-size`.
  package static func meaning(of path: String) -> Meaning? {
    let parts = path.prefix(100).split(separator: ".").map { normalized($0) }
    guard let leaf = parts.last else { return nil }
    let names = [parts.joined(separator: "."), leaf]
    // A plain name is another tool's where it is not one of ours in another section.
    for name in names {
      if let key = keys[name] { return .key(key) }
      if let remark = remarks[name] { return .remark(remark) }
    }
    return ours[leaf].map { .key($0) }
  }

  /// The word that other tools' word means, as a value of a key.
  static func word(_ text: String, for path: String) -> String? {
    words[path]?[normalized(text.prefix(100))]
  }

  /// Without what only spelling differs in.
  private static func normalized(_ text: some StringProtocol) -> String {
    text.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " }
  }

  /// Our own names in another spelling or section, where only one key has it.
  private static let ours = Dictionary(
    grouping: ConfigurationKey.all.map(\.path),
    by: { normalized($0.split(separator: ".").last ?? "") }
  ).compactMapValues { $0.count == 1 ? $0[0] : nil }

  /// Our keys by other names, which are spelled without '_' and '-' and in small letters.
  package static let keys: [String: String] = [
    "model.type": "model.kind", "model.name": "model.kind", "modelname": "model.kind",
    "architecture": "model.kind", "arch": "model.kind", "modeltype": "model.kind",
    "pretrained": "model.weights", "checkpointpath": "model.weights",
    "modelnameorpath": "model.weights", "hiddensize": "model.width", "hiddensizes": "model.hidden",
    "hiddenunits": "model.hidden", "nembd": "model.width", "dmodel": "model.width",
    "embeddim": "model.width", "nhead": "model.heads", "nheads": "model.heads",
    "numheads": "model.heads", "nlayer": "model.blocks", "nlayers": "model.blocks",
    "numlayers": "model.blocks", "numhiddenlayers": "model.blocks", "droprate": "model.dropout",
    "data.type": "data.kind", "data.name": "data.kind", "data.format": "data.kind",
    "dataset": "data.kind", "datasetname": "data.kind", "datadir": "data.path",
    "dataroot": "data.path", "datapath": "data.path", "datasetpath": "data.path",
    "data.root": "data.path", "data.dir": "data.path", "trainfile": "data.path",
    "valsplit": "data.validation", "validationsplit": "data.validation",
    "valfraction": "data.validation", "testsplit": "data.test", "numclasses": "data.classes",
    "vocabsize": "data.classes", "contextlength": "data.blockSize", "seqlen": "data.blockSize",
    "sequencelength": "data.blockSize", "maxlength": "data.blockSize",
    "maxseqlength": "data.blockSize", "imgsize": "data.imageSize",
    "numworkers": "data.decodeThreads",
    "workers": "data.decodeThreads", "dataloadernumworkers": "data.decodeThreads",
    "transforms": "data.augment", "augmentation": "data.augment",
    "epoch": "training.epochs", "numepochs": "training.epochs", "maxepochs": "training.epochs",
    "nepochs": "training.epochs", "numtrainepochs": "training.epochs",
    "maxsteps": "training.steps", "numsteps": "training.steps", "maxiters": "training.steps",
    "iterations": "training.steps", "trainsteps": "training.steps",
    "batch": "training.globalBatch", "batchsize": "training.globalBatch",
    "trainbatchsize": "training.globalBatch", "globalbatchsize": "training.globalBatch",
    "minibatchsize": "training.globalBatch", "perdevicetrainbatchsize": "training.globalBatch",
    "randomseed": "training.seed", "manualseed": "training.seed",
    "gradientaccumulationsteps": "training.microBatches",
    "accumulategradbatches": "training.microBatches", "gradaccumsteps": "training.microBatches",
    "clipgradnorm": "training.gradientClipNorm", "gradclip": "training.gradientClipNorm",
    "gradclipnorm": "training.gradientClipNorm", "maxgradnorm": "training.gradientClipNorm",
    "gradientclipping": "training.gradientClipNorm", "clipnorm": "training.gradientClipNorm",
    "gradientclipval": "training.gradientClipNorm", "ema": "training.emaDecay",
    "dtype": "training.precision", "bf16": "training.precision", "amp": "training.precision",
    "mixedprecision": "training.precision", "lossfn": "training.loss",
    "criterion": "training.loss", "labelsmoothingfactor": "training.labelSmoothing",
    "evalevery": "training.evaluateEverySteps", "evalinterval": "training.evaluateEverySteps",
    "evalsteps": "training.evaluateEverySteps", "evaliters": "training.evaluationBatches",
    "valcheckinterval": "training.evaluateEverySteps",
    "patience": "training.stopAfterWithoutImprovement",
    "earlystopping": "training.stopAfterWithoutImprovement",
    "earlystoppingpatience": "training.stopAfterWithoutImprovement",
    "optimizer": "optimizer.kind", "optimizer.type": "optimizer.kind",
    "optimizer.name": "optimizer.kind", "optim": "optimizer.kind",
    "lr": "optimizer.learningRate", "rate": "optimizer.learningRate",
    "baselr": "optimizer.learningRate", "initiallr": "optimizer.learningRate",
    "wd": "optimizer.weightDecay", "l2": "optimizer.weightDecay",
    "adambeta1": "optimizer.beta1", "adambeta2": "optimizer.beta2", "betas": "optimizer.beta1",
    "eps": "optimizer.epsilon", "adamepsilon": "optimizer.epsilon",
    "scheduler": "schedule.kind", "lrscheduler": "schedule.kind", "lrschedule": "schedule.kind",
    "lrschedulertype": "schedule.kind", "schedule.type": "schedule.kind",
    "schedule.name": "schedule.kind", "warmup": "schedule.warmupSteps",
    "warmupiters": "schedule.warmupSteps", "numwarmupsteps": "schedule.warmupSteps",
    "minlr": "schedule.minimumLearningRate", "etamin": "schedule.minimumLearningRate",
    "lrstepsize": "schedule.stepSize", "lrgamma": "schedule.gamma",
    "pctstart": "schedule.riseFraction", "divfactor": "schedule.startDivisor",
    "finaldivfactor": "schedule.endDivisor", "t0": "schedule.period",
    "tmult": "schedule.periodFactor", "lrdecay": "optimizer.rateDecay",
    "initialaccumulatorvalue": "optimizer.initialAccumulator",
    "saveevery": "checkpoint.everySteps", "savesteps": "checkpoint.everySteps",
    "saveinterval": "checkpoint.everySteps", "savetotallimit": "checkpoint.keep",
    "savetopk": "checkpoint.keep", "savebestonly": "checkpoint.keepBest",
    "loadbestmodelatend": "checkpoint.keepBest",
    "threads": "distributed.threadsPerRank", "numthreads": "distributed.threadsPerRank",
    "syncbn": "distributed.synchronizedBatchNorm",
    "syncbatchnorm": "distributed.synchronizedBatchNorm",
    "bucketcapmb": "distributed.bucketMegabytes", "timeout": "distributed.stallTimeout",
    "loginterval": "logging.everySteps", "logevery": "logging.everySteps",
    "loggingsteps": "logging.everySteps", "logeverynsteps": "logging.everySteps",
    "outputdir": "logging.directory", "outdir": "logging.directory", "logdir": "logging.directory",
    "savedir": "logging.directory", "runname": "name", "experimentname": "name",
    "experiment": "name",
  ]

  private static let processors =
    "training runs on processors; there is no GPU to choose: remove it"
  private static let ranks =
    "the launcher says how many ranks there are, as in mpirun -np 4: remove it"
  private static let resuming = "a command says it: train --resume RUN"

  private static let remarks: [String: String] = [
    "device": processors, "devices": processors, "cuda": processors, "gpu": processors,
    "gpus": processors, "usecuda": processors, "accelerator": processors, "nocuda": processors,
    "worldsize": ranks, "nprocpernode": ranks, "nproc": ranks, "nnodes": ranks, "numnodes": ranks,
    "ranks": ranks, "localrank": ranks, "backend": ranks, "resume": resuming,
    "resumefrom": resuming, "resumefromcheckpoint": resuming,
    "shuffle": "the samples of each epoch are always shuffled, by training.seed: remove it",
    "pinmemory": processors,
    "droplast": "the last batch of an epoch may be short, and all samples count: remove it",
  ]

  /// Words of other tools for values, by key.
  private static let words: [String: [String: String]] = [
    "optimizer.kind": ["momentum": "sgd", "nesterov": "sgd"],
    "model.kind": [
      "transformer": "gpt", "gpt2": "gpt", "nanogpt": "gpt", "rnn": "lstm", "charrnn": "lstm",
      "linear": "perceptron",
      "logistic": "perceptron", "resnet": "resnet18", "vgg": "vgg16", "lenet5": "lenet",
      "sequential": "layers", "custom": "layers", "mobilenet": "mobilenetV2",
      "mobilenetv2": "mobilenetV2", "visiontransformer": "vit", "vitb16": "vit",
      "llama2": "llama", "llama3": "llama",
    ],
    "data.kind": [
      "mnist": "idx", "fashionmnist": "idx", "emnist": "idx", "cifar": "cifar10", "npz": "npy",
      "numpy": "npy", "imagefolder": "images", "jpeg": "images", "png": "images", "txt": "text",
      "jsonl": "text", "tokens": "text", "bin": "text", "tsv": "csv", "table": "csv",
    ],
    "training.precision": [
      "bf16": "bfloat16", "bf16mixed": "bfloat16", "fp32": "float32", "32": "float32",
      "fp16": "bfloat16", "float16": "bfloat16", "16mixed": "bfloat16", "16": "bfloat16",
    ],
    "schedule.kind": [
      "cosineannealing": "cosine", "cosineannealinglr": "cosine", "steplr": "step",
      "none": "constant",
      "constantlr": "constant", "multisteplr": "multistep", "exponentiallr": "exponential",
      "polynomiallr": "polynomial", "poly": "polynomial", "linear": "polynomial",
      "cosineannealingwarmrestarts": "cosine-restarts", "sgdr": "cosine-restarts",
      "onecyclelr": "onecycle", "1cycle": "onecycle", "cycliclr": "cyclic",
      "triangular": "cyclic", "reducelronplateau": "plateau", "reduceonplateau": "plateau",
    ],
  ]
}
