/// A public data set: where its files are, and how to recognize them.
struct RemoteDataSet {
  /// A file to be fetched.
  struct File {
    let name: String
    let byteCount: Int
    let sha256: String
  }

  /// The name in the command.
  let name: String
  /// Addresses of folders that have the files; they are tried in this order.
  let mirrors: [String]
  let files: [File]
  /// The files to take out of an archive; none if there is no archive.
  var unpacked: [String] = []
  /// The value of `data.kind`.
  let kind: String
  /// A configuration that trains on it.
  let example: String
  /// What `data.path` names in the folder; nil is the folder itself.
  var path: String?

  /// All data sets, by the checksums that TensorFlow Datasets publishes for them
  /// (`tensorflow_datasets/url_checksums`), and for Shakespeare that of the file in
  /// karpathy/char-rnn.
  static let all = [
    RemoteDataSet(
      name: "mnist",
      mirrors: [
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
      ],
      files: [
        File(
          name: "train-images-idx3-ubyte.gz", byteCount: 9_912_422,
          sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        File(
          name: "train-labels-idx1-ubyte.gz", byteCount: 28_881,
          sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        File(
          name: "t10k-images-idx3-ubyte.gz", byteCount: 1_648_877,
          sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        File(
          name: "t10k-labels-idx1-ubyte.gz", byteCount: 4_542,
          sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
      ],
      kind: "idx", example: "configs/mnist-mlp.yaml"),
    RemoteDataSet(
      name: "fashion-mnist",
      mirrors: [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
      ],
      files: [
        File(
          name: "train-images-idx3-ubyte.gz", byteCount: 26_421_880,
          sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        File(
          name: "train-labels-idx1-ubyte.gz", byteCount: 29_515,
          sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        File(
          name: "t10k-images-idx3-ubyte.gz", byteCount: 4_422_102,
          sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        File(
          name: "t10k-labels-idx1-ubyte.gz", byteCount: 5_148,
          sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
      ],
      kind: "idx", example: "configs/mnist-cnn.yaml"),
    RemoteDataSet(
      name: "cifar10", mirrors: ["https://www.cs.toronto.edu/~kriz/"],
      files: [
        File(
          name: "cifar-10-binary.tar.gz", byteCount: 170_052_171,
          sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")
      ],
      unpacked: (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin", "batches.meta.txt"],
      kind: "cifar10", example: "configs/cifar10-resnet18.yaml"),
    RemoteDataSet(
      name: "tinyshakespeare",
      mirrors: [
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
        "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@master/data/tinyshakespeare/",
      ],
      files: [
        File(
          name: "input.txt", byteCount: 1_115_394,
          sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
      ],
      kind: "text", example: "configs/shakespeare-gpt.yaml", path: "input.txt"),
  ]
}
