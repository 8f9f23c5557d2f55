import Base
import Checkpointing
import DataLoading
package import NeuralNetworks
package import Training

/// A trained model as a program for PyTorch, to be read and changed, beside a file of its weights.
package struct PyTorchModel {
  /// The file's name beside that of the weights.
  package static let fileName = "model.py"
  /// The name of the file of the weights.
  package static let weightsName = "model.safetensors"

  /// The text of the program.
  package let text: String

  /// Writes a model as a program.
  ///
  /// Throws an `ExportError` for a layer that is not the library's.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - signature: Its inputs and outputs.
  ///   - source: Where the weights come from, for the first line.
  package init(_ model: any Layer, _ signature: ModelSignature, source: String) throws {
    var program = PythonProgram()
    let expression: String
    if let sequence = model as? Sequential {
      let layers = try sequence.arguments(in: &program)
      program.add(
        """
        class Model(nn.Sequential):
            def __init__(self):
                super().__init__(
        \(PythonProgram.indented(layers, by: 8))        )
        """)
      expression = "Model()"
    } else {
      expression = try exportable(model).pytorch(in: &program)
    }
    let classes = program.classes.joined(separator: "\n\n\n")
    let usesFunctions = (classes + signature.pythonPrediction).contains("F.")
    let constants = signature.pythonConstants
    text = """
      \"""\(source), written by lockstep \(Version.current).

      \(PythonProgram.filled("Inputs are \(signature.inputMeaning)."))

          model = load()
          outputs = predict(model, inputs)
      \"""

      from pathlib import Path

      import torch
      import torch.nn as nn
      \(usesFunctions ? "import torch.nn.functional as F\n" : "")\
      from safetensors.torch import load_file

      \(constants.isEmpty ? "" : constants + "\n\n")
      \(classes)


      def load(path=Path(__file__).with_name("\(PyTorchModel.weightsName)")):
          \"""The trained model, in evaluation mode.\"""
          model = \(expression)
          model.load_state_dict(load_file(path))
          return model.eval()


      \(signature.pythonPrediction)

      """
  }
}

extension ModelSignature {
  /// How predictions are made from inputs, as functions of Python.
  fileprivate var pythonPrediction: String {
    let isNormalized = preparation.standardization != nil
    let input = isNormalized ? "prepare(inputs)" : "inputs"
    var text = ""
    if isNormalized {
      text += """
        def prepare(inputs):
            \"""Normalizes inputs as in training.\"""
            return (inputs - MEANS) / DEVIATIONS



        """
    }
    let (meaning, lines): (String, String) =
      switch objective.name {
      case Objective.crossEntropy.name:
        (
          tokens == nil
            ? "The probabilities of the classes."
            : "The probabilities of the token after each position.",
          "return F.softmax(model(\(input)), dim=-1)"
        )
      case Objective.binaryCrossEntropyWithLogits.name where outputs == 1:
        (
          "The probabilities of the two classes.",
          "p = torch.sigmoid(model(\(input)))\n    return torch.cat([1 - p, p], dim=1)"
        )
      case Objective.binaryCrossEntropyWithLogits.name:
        ("The probability of each output.", "return torch.sigmoid(model(\(input)))")
      default:
        preparation.targetStandardization == nil
          ? ("The values.", "return model(\(input)).flatten(1)")
          : (
            "The values, in the unit of the data.",
            "return model(\(input)).flatten(1) * TARGET_DEVIATIONS + TARGET_MEANS"
          )
      }
    return text + """
      @torch.no_grad()
      def predict(model, inputs):
          \"""\(meaning)\"""
          \(lines)
      """
  }

  /// What the functions need to know of the data.
  fileprivate var pythonConstants: String {
    var constants: [String] = []
    func add(_ name: String, _ values: [Float], shape: [Int]) {
      let list = shape.isEmpty ? "\(values[0])" : wrapped(values.map { "\($0)" })
      let sizes = shape.map(String.init).joined(separator: ", ")
      let shaped = shape.count > 1 ? ".reshape(\(sizes))" : ""
      constants.append("\(name) = torch.tensor(\(list))\(shaped)")
    }
    if let classes = preparation.classes, let names = classes.names {
      constants.append("CLASSES = " + wrapped(names.map { JSONObject.text($0) }))
    }
    if case .characters(let codec) = preparation.tokenizer {
      constants.append("CHARACTERS = " + JSONObject.text(codec.alphabet))
    }
    if let standardization = inputStandardization {
      add("MEANS", standardization.means, shape: standardization.shape)
      add("DEVIATIONS", standardization.stds, shape: standardization.shape)
    }
    if let standardization = preparation.targetStandardization {
      add("TARGET_MEANS", standardization.means, shape: [outputs])
      add("TARGET_DEVIATIONS", standardization.stds, shape: [outputs])
    }
    return constants.joined(separator: "\n")
  }

  /// A list of Python on one line if that is short, else on several.
  private func wrapped(_ values: [String]) -> String {
    let line = values.joined(separator: ", ")
    if line.count <= 70 { return "[\(line)]" }
    var lines = [""]
    for value in values {
      if lines[lines.count - 1].count + value.count > 90 { lines.append("") }
      lines[lines.count - 1] += (lines.last!.isEmpty ? "    " : " ") + value + ","
    }
    return "[\n" + lines.joined(separator: "\n") + "\n]"
  }
}
