import Base
import DataLoading
import NeuralNetworks
import Settings
import TensorCore
import Testing
import Training

import Exporting

@Suite("PyTorch program") struct PyTorchTests {
  @Test("a list of layers is a program that can be read")
  func program() throws {
    let signature = ModelSignature(
      inputShape: [1, 4, 4], outputs: 2, objective: .crossEntropy,
      preparation: SamplePreparation(
        standardization: Standardization(means: [0.5], stds: [0.25]),
        classes: Classes(names: ["cat", "dog"])))
    let model = Sequential(
      Conv2d(1, 3, kernel: 3, padding: 1, bias: false), BatchNorm2d(3), ReLU(), MaxPool2d(2),
      Flatten(), Dropout(0.5), Linear(12, 2))
    let program = try PyTorchModel(model, signature, source: "Model 'layers' after step 7")
    #expect(
      program.text == #"""
        """Model 'layers' after step 7, written by lockstep \#(Version.current).

        Inputs are the numbers of a sample [1, 4, 4] as in the data, bytes of images from 0 to 1; the model
        normalizes them itself.

            model = load()
            outputs = predict(model, inputs)
        """

        from pathlib import Path

        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from safetensors.torch import load_file

        CLASSES = ["cat", "dog"]
        MEANS = torch.tensor(0.5)
        DEVIATIONS = torch.tensor(0.25)


        class Model(nn.Sequential):
            def __init__(self):
                super().__init__(
                    nn.Conv2d(1, 3, 3, padding=1, bias=False),
                    nn.BatchNorm2d(3),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                    nn.Flatten(),
                    nn.Dropout(0.5),
                    nn.Linear(12, 2),
                )


        def load(path=Path(__file__).with_name("model.safetensors")):
            """The trained model, in evaluation mode."""
            model = Model()
            model.load_state_dict(load_file(path))
            return model.eval()


        def prepare(inputs):
            """Normalizes inputs as in training."""
            return (inputs - MEANS) / DEVIATIONS


        @torch.no_grad()
        def predict(model, inputs):
            """The probabilities of the classes."""
            return F.softmax(model(prepare(inputs)), dim=-1)

        """#)
  }

  @Test(
    "normalization is as short as it can be",
    arguments: [
      ([1, 1, 1, 1, 1, 1, 1, 1], [], [1]), ([1, 1, 1, 1, 2, 2, 2, 2], [2, 1, 1], [1, 2]),
      ([1, 2], [2, 1, 1], [1, 2]),
      ([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]),
    ] as [([Float], [Int], [Float])])
  func normalization(means: [Float], shape: [Int], kept: [Float]) {
    let short = BroadcastStandardization(
      Standardization(means: means, stds: means), inputShape: [2, 2, 2])
    #expect(short.shape == shape)
    #expect(short.means == kept && short.stds == kept)
  }

  @Test("every model by name can be written", arguments: ModelKind.all.map(\.name))
  func models(name: String) throws {
    let named = try NamedModel(ModelKind.all.first { $0.name == name }!)
    let program = try PyTorchModel(named.model, named.signature, source: "A model")
    #expect(program.text.contains("(nn."))
    #expect(!program.text.contains("\n\n\n\n"))
    for line in program.text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
  }
}
