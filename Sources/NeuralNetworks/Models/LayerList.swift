import Base
import Settings
package import TensorCore

/// The options of a model that is a list of layers.
struct LayerListOptions: SettingsGroup {
  @Setting(
    "layers from input to output: [conv 32 3, batchNorm, relu, pool 2, flatten, linear 10]; the last linear may be left out"
  )
  var layers = ["flatten", "linear 64", "relu"]

  func check() throws(SettingError) {
    guard !layers.isEmpty, layers.count <= 1000 else {
      throw SettingError(
        "layers", "has \(layers.count) items; write 1 to 1000, as in [flatten, linear 64, relu]")
    }
  }
}

extension ModelKind {
  /// Layers that the configuration lists; see `LayerList`.
  static let layers = ModelKind("layers", .any, LayerListOptions()) { shapes, options in
    var list = LayerList(shapes)
    for (index, text) in options.layers.enumerated() {
      try list.add(LayerItem(text, number: "\(index + 1)"))
    }
    return try list.model()
  }
}

/// An item of a list of layers: a word, numbers, and options with a value each.
private struct LayerItem {
  /// Its number in the list, from 1; `3.2` is the second item of the residual block that is the third.
  let number: String
  let text: String
  let word: String
  private let arguments: [Substring]

  init(_ text: String, number: String) {
    self.number = number
    self.text = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let words = text.split(whereSeparator: \.isWhitespace)
    word = words.first.map(String.init) ?? ""
    arguments = Array(words.dropFirst())
  }

  /// An error of this item.
  func error(_ problem: String) -> SettingError {
    SettingError("layers", "item \(number) '\(text.prefix(80))': \(problem)")
  }

  /// The numbers after the word, and the options after them.
  ///
  /// Throws unless there are as many numbers as `form` has words in capitals, and for unknown options.
  func parse(
    _ form: String, numbers counts: ClosedRange<Int>, options names: [String] = []
  ) throws(SettingError) -> (numbers: [Int], options: [String: String]) {
    var numbers: [Int] = []
    var rest = arguments[...]
    while let text = rest.first, text.first?.isNumber ?? false || text.hasPrefix("-") {
      numbers.append(try number(text, "write", form))
      rest.removeFirst()
    }
    guard counts.contains(numbers.count) else {
      throw error("\(numbers.count) numbers; write '\(form)'")
    }
    var options: [String: String] = [:]
    while let name = rest.popFirst().map(String.init) {
      guard names.contains(name), let value = rest.popFirst(), options[name] == nil else {
        throw error("'\(name)' cannot stand here; write '\(form)'")
      }
      options[name] = String(value)
    }
    return (numbers, options)
  }

  /// A positive integer that layers can multiply without overflow.
  private func number(
    _ text: Substring, _ verb: String, _ form: String
  ) throws(SettingError) -> Int {
    guard let number = Int(text), 1...(1 << 20) ~= number else {
      throw error("'\(text)' is no integer from 1 to \(1 << 20); \(verb) '\(form)'")
    }
    return number
  }

  /// The integer of an option; `least` where it may be zero.
  func integer(
    _ value: String?, default initial: Int, atLeast least: Int = 1, _ name: String
  ) throws(SettingError) -> Int {
    guard let value else { return initial }
    guard let number = Int(value), least...(1 << 20) ~= number else {
      throw error("\(name) is '\(value)'; it is an integer from \(least) to \(1 << 20)")
    }
    return number
  }

  /// The first argument as a probability.
  func probability(_ form: String) throws(SettingError) -> Double {
    guard arguments.count == 1, let value = Double(arguments[0]), 0..<1 ~= value else {
      throw error("write '\(form)' with a number of at least 0 and below 1")
    }
    return value
  }

  /// The items between brackets.
  func items() throws(SettingError) -> [LayerItem] {
    let inner = text.dropFirst(word.count).drop { $0 == " " }
    guard inner.hasPrefix("["), inner.hasSuffix("]"), inner.count > 2 else {
      throw error("write 'residual [conv 64 3 padding same, relu]'")
    }
    var depth = 0
    var texts = [""]
    for character in inner.dropFirst().dropLast() {
      if character == "[" { depth += 1 }
      if character == "]" { depth -= 1 }
      if character == "," && depth == 0 {
        texts.append("")
      } else {
        texts[texts.count - 1].append(character)
      }
    }
    return texts.enumerated().map { LayerItem($1, number: "\(number).\($0 + 1)") }
  }
}

/// Makes layers from a list of texts; the size of each layer's input is that of the output before it.
private struct LayerList {
  private var layers: [any Layer] = []
  /// The shape of a sample that arrives at the next layer.
  private var shape: [Int]
  /// Whether the first axis counts the positions of a text.
  private var isSequence = false
  /// The number of distinct tokens, while tokens arrive.
  private var tokens: Int?
  private var endsWithLinear = false
  private let outputs: Int
  private let depth: Int

  init(_ shapes: ModelKind.Shapes) {
    (shape, tokens, outputs, depth) = (shapes.input, shapes.tokens, shapes.outputs, 1)
  }

  private init(inside list: LayerList) {
    (shape, isSequence, tokens) = (list.shape, list.isSequence, list.tokens)
    (outputs, depth) = (list.outputs, list.depth + 1)
  }

  /// The words, in the order in which messages list them.
  private static let words = [
    "conv", "linear", "relu", "gelu", "tanh", "sigmoid", "silu", "leakyRelu", "elu", "softplus",
    "relu6", "hardswish", "mish", "selu", "prelu", "pool", "maxPool", "avgPool", "globalPool",
    "batchNorm", "layerNorm", "rmsNorm", "dropout", "flatten",
    "reshape", "embedding", "lstm", "gru", "residual",
  ]

  /// Adds the layer of an item.
  mutating func add(_ item: LayerItem) throws(SettingError) {
    if tokens != nil, item.word != "embedding", LayerList.words.contains(item.word) {
      throw item.error("tokens arrive here: begin with 'embedding 64'")
    }
    endsWithLinear = false
    switch item.word {
    case "conv": try addConvolution(item)
    case "linear": try addLinear(item)
    case "relu": try append(ReLU(), item)
    case "gelu": try append(GELU(), item)
    case "tanh": try append(Tanh(), item)
    case "sigmoid": try append(Sigmoid(), item)
    case "silu": try append(SiLU(), item)
    case "leakyRelu": try append(LeakyReLU(), item)
    case "elu": try append(ELU(), item)
    case "softplus": try append(Softplus(), item)
    case "relu6": try append(ReLU6(), item)
    case "hardswish": try append(Hardswish(), item)
    case "mish": try append(Mish(), item)
    case "selu": try append(SELU(), item)
    case "prelu": try append(PReLU(), item)
    case "pool", "maxPool": try addPool(item, isMaximum: true)
    case "avgPool": try addPool(item, isMaximum: false)
    case "globalPool": try addGlobalPool(item)
    case "batchNorm": try addBatchNorm(item)
    case "layerNorm":
      _ = try item.parse("layerNorm", numbers: 0...0)
      // An image is normalized as a whole, a text at each position.
      layers.append(LayerNorm(TensorShape(isSequence ? [shape[1]] : shape)))
    case "rmsNorm":
      _ = try item.parse("rmsNorm", numbers: 0...0)
      layers.append(RMSNorm(TensorShape(isSequence ? [shape[1]] : shape)))
    case "dropout": layers.append(Dropout(try item.probability("dropout P")))
    case "flatten":
      _ = try item.parse("flatten", numbers: 0...0)
      layers.append(Flatten())
      try setShape([shape.reduce(1, *)], item)
    case "reshape": try addReshape(item)
    case "embedding": try addEmbedding(item)
    case "lstm": try addRecurrent(item, .lstm)
    case "gru": try addRecurrent(item, .gru)
    case "residual": try addResidual(item)
    default:
      let near = LayerList.words.min {
        editDistance(String(item.word.prefix(40)), $0)
          < editDistance(String(item.word.prefix(40)), $1)
      }!
      throw item.error(
        "unknown layer '\(item.word.prefix(40))'; did you mean '\(near)'? There are "
          + LayerList.words.joined(separator: ", "))
    }
  }

  /// The layers, with a last linear one if the list does not end with one.
  func model() throws(SettingError) -> Sequential {
    if endsWithLinear {
      guard shape.last == outputs else {
        throw SettingError(
          "layers",
          "ends with '\(shape.last ?? 0)' outputs, and the data needs \(outputs): write 'linear outputs', or leave the last linear out"
        )
      }
      return Sequential(layers)
    }
    if tokens != nil {
      throw SettingError("layers", "has no 'embedding N', which tokens need first")
    }
    let isFlat = shape.count == 1 || isSequence
    let width = isFlat ? shape[shape.count - 1] : shape.reduce(1, *)
    return Sequential(layers + (isFlat ? [] : [Flatten()]) + [Linear(width, outputs)])
  }

  private mutating func append(_ layer: any Layer, _ item: LayerItem) throws(SettingError) {
    _ = try item.parse(item.word, numbers: 0...0)
    layers.append(layer)
  }

  /// Notes the shape of what the last layer gives.
  private mutating func setShape(_ new: [Int], _ item: LayerItem) throws(SettingError) {
    guard let count = new.reduce(1 as Int?, { $0?.multiplied(by: $1) }), count <= 1 << 40 else {
      throw item.error("a sample would have \(new), more than \(1 << 40) numbers")
    }
    if new.count != 2 { isSequence = false }
    shape = new
  }

  /// The channels, rows and columns of the images that arrive.
  private func images(_ item: LayerItem) throws(SettingError) -> (Int, Int, Int) {
    guard shape.count == 3 else {
      let remedy =
        shape.count == 2
        ? "put 'reshape 1 \(shape[0]) \(shape[1])' before it"
        : "put 'reshape CHANNELS ROWS COLUMNS' before it"
      throw item.error(
        "needs images [channels, rows, columns], and \(shape) arrives here: \(remedy)")
    }
    return (shape[0], shape[1], shape[2])
  }

  /// The rows or columns that a window leaves.
  private func windows(
    _ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ item: LayerItem
  ) throws(SettingError) -> Int {
    guard size + 2 * padding >= kernel else {
      throw item.error(
        "a window of \(kernel) does not fit into \(shape), which arrives here: take a smaller one, or fewer pools before it"
      )
    }
    return (size + 2 * padding - kernel) / stride + 1
  }

  private mutating func addConvolution(_ item: LayerItem) throws(SettingError) {
    let (numbers, options) = try item.parse(
      "conv CHANNELS KERNEL stride S padding P|same groups G", numbers: 2...2,
      options: ["stride", "padding", "groups"])
    let (inputs, rows, columns) = try images(item)
    let (outputs, kernel) = (numbers[0], numbers[1])
    let stride = try item.integer(options["stride"], default: 1, "stride")
    let groups = try item.integer(options["groups"], default: 1, "groups")
    let padding: Int
    if options["padding"] == "same" {
      guard kernel % 2 == 1 else {
        throw item.error("padding same needs an odd kernel, not \(kernel)")
      }
      padding = kernel / 2
    } else {
      padding = try item.integer(options["padding"], default: 0, atLeast: 0, "padding")
    }
    guard inputs % groups == 0, outputs % groups == 0 else {
      throw item.error(
        "\(groups) groups must divide the \(inputs) channels that arrive here, and \(outputs)")
    }
    let size = [
      outputs, try windows(rows, kernel, stride, padding, item),
      try windows(columns, kernel, stride, padding, item),
    ]
    try setShape(size, item)
    layers.append(
      Conv2d(
        inputs, outputs, kernel: Size2d(kernel), stride: Size2d(stride), padding: Size2d(padding),
        groups: groups))
  }

  private mutating func addLinear(_ item: LayerItem) throws(SettingError) {
    let width: Int
    if item.text == "linear outputs" || item.text == "linear classes" {
      width = outputs
    } else {
      width = try item.parse("linear N' or 'linear outputs", numbers: 1...1).numbers[0]
    }
    guard shape.count == 1 || isSequence else {
      throw item.error("\(shape) arrives here: put 'flatten' or 'globalPool' before it")
    }
    layers.append(Linear(shape[shape.count - 1], width))
    try setShape(shape.dropLast() + [width], item)
    endsWithLinear = true
  }

  private mutating func addPool(_ item: LayerItem, isMaximum: Bool) throws(SettingError) {
    let (numbers, options) = try item.parse(
      "\(item.word) KERNEL stride S padding P", numbers: 1...1, options: ["stride", "padding"])
    let (channels, rows, columns) = try images(item)
    let kernel = numbers[0]
    let stride = try item.integer(options["stride"], default: kernel, "stride")
    let padding = try item.integer(options["padding"], default: 0, atLeast: 0, "padding")
    guard 2 * padding <= kernel else {
      throw item.error("padding is \(padding), more than half of the window")
    }
    let size = [
      channels, try windows(rows, kernel, stride, padding, item),
      try windows(columns, kernel, stride, padding, item),
    ]
    try setShape(size, item)
    layers.append(
      isMaximum
        ? MaxPool2d(Size2d(kernel), stride: Size2d(stride), padding: Size2d(padding))
        : AvgPool2d(Size2d(kernel), stride: Size2d(stride), padding: Size2d(padding)))
  }

  private mutating func addGlobalPool(_ item: LayerItem) throws(SettingError) {
    _ = try item.parse("globalPool", numbers: 0...0)
    if shape.count == 2 {
      layers.append(GlobalPool(axes: [1]))
      try setShape([shape[1]], item)
    } else {
      let (channels, _, _) = try images(item)
      layers.append(GlobalPool(axes: [2, 3]))
      try setShape([channels], item)
    }
  }

  private mutating func addBatchNorm(_ item: LayerItem) throws(SettingError) {
    _ = try item.parse("batchNorm", numbers: 0...0)
    switch shape.count {
    case 1: layers.append(BatchNorm1d(shape[0]))
    case 3: layers.append(BatchNorm2d(shape[0]))
    default:
      throw item.error("needs numbers or images, and \(shape) arrives here: use 'layerNorm'")
    }
  }

  private mutating func addReshape(_ item: LayerItem) throws(SettingError) {
    let numbers = try item.parse("reshape CHANNELS ROWS COLUMNS", numbers: 1...4).numbers
    let count = shape.reduce(1, *)
    guard numbers.reduce(1 as Int?, { $0?.multiplied(by: $1) }) == count else {
      throw item.error("\(shape) arrives here, which is \(count) numbers")
    }
    layers.append(Reshape(numbers))
    isSequence = false
    try setShape(numbers, item)
  }

  private mutating func addEmbedding(_ item: LayerItem) throws(SettingError) {
    let width = try item.parse("embedding N", numbers: 1...1).numbers[0]
    guard let count = tokens, shape.count == 1 else {
      throw item.error("is for tokens of a text, and numbers \(shape) arrive here: remove it")
    }
    layers.append(Embedding(count, width))
    tokens = nil
    try setShape([shape[0], width], item)
    isSequence = true
  }

  private mutating func addRecurrent(
    _ item: LayerItem, _ cell: RecurrentCell
  ) throws(SettingError) {
    let (numbers, options) = try item.parse(
      "\(item.word) UNITS layers N", numbers: 1...1, options: ["layers"])
    let count = try item.integer(options["layers"], default: 1, "layers")
    guard shape.count == 2, count <= 1000 else {
      throw item.error(
        count > 1000
          ? "has \(count) layers; at most 1000 are possible"
          : "needs sequences [length, features], and \(shape) arrives here")
    }
    layers.append(
      RecurrentOutputs(
        RecurrentLayers(
          item.word, cell, shape[1], numbers[0], layers: count, bias: true, dropout: 0,
          bidirectional: false)))
    try setShape([shape[0], numbers[0]], item)
  }

  private mutating func addResidual(_ item: LayerItem) throws(SettingError) {
    guard depth < 8 else { throw item.error("residual blocks are nested too deeply") }
    var inner = LayerList(inside: self)
    for item in try item.items() { try inner.add(item) }
    guard inner.shape == shape else {
      throw item.error(
        "adds its result to its input, so both need one shape: \(shape) arrives here, \(inner.shape) leaves"
      )
    }
    layers.append(Residual(Sequential(inner.layers)))
  }
}

/// The sum of a block's input and output.
package struct Residual: Layer {
  /// The block.
  package let block: Sequential

  init(_ block: Sequential) { self.block = block }

  package func callAsFunction(_ x: Tensor) -> Tensor { x + block(x) }
}

/// The means over some axes.
package struct GlobalPool: Layer {
  /// The axes, of which the first counts samples.
  package let axes: [Int]

  package func callAsFunction(_ x: Tensor) -> Tensor { x.mean(axes: axes) }
}

/// Samples of another shape.
package struct Reshape: Layer {
  /// The shape of a sample.
  package let shape: [Int]

  init(_ shape: [Int]) { self.shape = shape }

  package func callAsFunction(_ x: Tensor) -> Tensor {
    x.reshaped(to: TensorShape([x.shape[0]] + shape))
  }
}
