package import Base
import Foundation
package import NeuralNetworks
package import TensorCore

/// A value in a graph: an input, a weight, or the result of a node.
package struct ONNXValue {
  /// The name, by which nodes refer to it.
  package let name: String
  /// The number of axes.
  package let rank: Int
}

/// The value of an attribute of a node.
package enum ONNXAttribute {
  case integer(Int)
  case integers([Int])
  case number(Double)
}

/// A graph of ONNX under construction: nodes in the order in which they are computed, and the weights.
package struct ONNXGraph {
  private var nodes: [ProtobufMessage] = []
  private var tensors: [ProtobufMessage] = []
  private var inputs: [ProtobufMessage] = []
  private var outputs: [ProtobufMessage] = []
  /// The names of the model's parameters and buffers.
  private let names: [ObjectIdentifier: String]
  private var known: [String: ONNXValue] = [:]
  private var counts: [String: Int] = [:]
  /// Which positions see which, once a layer has asked.
  package var causalMask: ONNXValue?

  /// An empty graph for the weights of a model.
  package init(_ model: any Layer) {
    let places =
      model.namedParameters().map { ($0.name, ObjectIdentifier($0.parameter)) }
      + model.namedBuffers().map { ($0.name, ObjectIdentifier($0.buffer)) }
    names = Dictionary(uniqueKeysWithValues: places.map { ($1, $0) })
  }

  /// Adds the nodes of a layer, and returns its result.
  package mutating func add(_ layer: any Layer, to x: ONNXValue) throws -> ONNXValue {
    try exportable(layer).onnx(x, in: &self)
  }

  // MARK: Values

  /// The type of an element.
  package enum ElementType: Int {
    case float = 1
    case int64 = 7
  }

  /// The size of an axis: a number, or the name of one that may be any.
  package enum Axis {
    case fixed(Int)
    case any(String)
  }

  /// Adds an input of the graph.
  package mutating func addInput(_ name: String, _ type: ElementType, _ shape: [Axis]) -> ONNXValue
  {
    inputs.append(description(name, type, shape))
    return ONNXValue(name: name, rank: shape.count)
  }

  /// Makes a value an output of the graph, under a name.
  package mutating func addOutput(_ value: ONNXValue, as name: String, _ shape: [Axis]) {
    addNode("Identity", [value], outputs: [name], [:])
    outputs.append(description(name, .float, shape))
  }

  private func description(
    _ name: String, _ type: ElementType, _ shape: [Axis]
  ) -> ProtobufMessage {
    var value = ProtobufMessage()
    value.add(1, name)
    value.add(2) { wrapper in
      wrapper.add(1) { tensor in
        tensor.add(1, type.rawValue)
        tensor.add(2) { axes in
          for axis in shape {
            axes.add(1) { message in
              switch axis {
              case .fixed(let size): message.add(1, size)
              case .any(let name): message.add(2, name)
              }
            }
          }
        }
      }
    }
    return value
  }

  /// A parameter or buffer of the model, under its name in the state dictionary.
  package mutating func weight(_ tensor: Tensor) -> ONNXValue {
    guard let name = names[ObjectIdentifier(tensor)] else {
      preconditionFailure("ONNXGraph: a tensor \(tensor.shape) is no part of the model")
    }
    if let value = known[name] { return value }
    let values = tensor.detached().converted(to: .float32).contiguous()
    let count = values.count * MemoryLayout<Float>.stride
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      memcpy(bytes.baseAddress!, values.bytes, count)
      initialized = count
    }
    return add(name, .float, tensor.shape.array, bytes)
  }

  /// Constant numbers; a number alone has no axes.
  package mutating func numbers(_ values: [Float], shape: [Int] = []) -> ONNXValue {
    add(newName("constant"), .float, shape, values.withUnsafeBytes { Array($0) })
  }

  /// A list of constant integers.
  package mutating func integers(_ values: [Int]) -> ONNXValue {
    add(newName("constant"), .int64, [values.count], values.withUnsafeBytes { Array($0) })
  }

  /// A constant integer without axes.
  package mutating func integer(_ value: Int) -> ONNXValue {
    add(newName("constant"), .int64, [], withUnsafeBytes(of: value) { Array($0) })
  }

  private mutating func add(
    _ name: String, _ type: ElementType, _ shape: [Int], _ bytes: [UInt8]
  ) -> ONNXValue {
    var tensor = ProtobufMessage()
    if !shape.isEmpty { tensor.add(1, packed: shape) }
    tensor.add(2, type.rawValue)
    tensor.add(8, name)
    tensor.add(9, bytes: bytes)
    tensors.append(tensor)
    let value = ONNXValue(name: name, rank: shape.count)
    known[name] = value
    return value
  }

  // MARK: Nodes

  /// Adds a node with one result, which has as many axes as its first input unless `rank` is given.
  package mutating func add(
    _ operation: String, _ inputs: ONNXValue..., rank: Int? = nil,
    attributes: [String: ONNXAttribute] = [:]
  ) -> ONNXValue {
    let name = newName(operation)
    addNode(operation, inputs, outputs: [name], attributes)
    return ONNXValue(name: name, rank: rank ?? inputs[0].rank)
  }

  /// Adds a node that splits an axis into equal parts.
  package mutating func addSplit(_ value: ONNXValue, parts: Int, axis: Int) -> [ONNXValue] {
    let names = (0..<parts).map { _ in newName("Split") }
    addNode("Split", [value], outputs: names, ["axis": .integer(axis)])
    return names.map { ONNXValue(name: $0, rank: value.rank) }
  }

  private mutating func addNode(
    _ operation: String, _ inputs: [ONNXValue], outputs: [String],
    _ attributes: [String: ONNXAttribute]
  ) {
    var node = ProtobufMessage()
    for input in inputs { node.add(1, input.name) }
    for output in outputs { node.add(2, output) }
    node.add(3, outputs[0])
    node.add(4, operation)
    for (name, value) in attributes.sorted(by: { $0.key < $1.key }) {
      node.add(5) { attribute in
        attribute.add(1, name)
        switch value {
        case .number(let number):
          attribute.add(2, Float(number))
          attribute.add(20, 1)
        case .integer(let integer):
          attribute.add(3, integer)
          attribute.add(20, 2)
        case .integers(let integers):
          for integer in integers { attribute.add(8, integer) }
          attribute.add(20, 7)
        }
      }
    }
    nodes.append(node)
  }

  private mutating func newName(_ prefix: String) -> String {
    counts[prefix, default: 0] += 1
    return "\(prefix)_\(counts[prefix]!)"
  }

  /// The graph as a message of protobuf.
  package func message(name: String) -> ProtobufMessage {
    var graph = ProtobufMessage()
    for node in nodes { graph.add(1, node) }
    graph.add(2, name)
    for tensor in tensors { graph.add(5, tensor) }
    for input in inputs { graph.add(11, input) }
    for output in outputs { graph.add(12, output) }
    return graph
  }
}
