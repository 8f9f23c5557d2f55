import Collectives
import NeuralNetworks
import TensorCore
import Testing
import Training

@Suite struct TrainerGraphTests {
  @Test("the graph of a loss leads to every parameter once, under its name and shape")
  func digits() throws {
    var configuration = TrainingConfiguration()
    configuration.model.hidden = [12, 8]
    configuration.model.dropout = 0.5
    let trainer = try Trainer(configuration, SingleProcess())
    let before = trainer.model.parameters.map { $0.array(of: Float.self) }
    let graph = try trainer.graphDescription(samples: 3)
    let lines = graph.split(separator: "\n")
    for (name, parameter) in trainer.model.namedParameters() {
      let label = "label=\"\(name)\\n\(parameter.shape)\", shape=ellipse"
      #expect(lines.count { $0.contains(label) } == 1, "\(label) in\n\(graph)")
    }
    #expect(lines.count { $0.contains("shape=ellipse") } == trainer.model.parameters.count)
    // Training mode, with the losses of three samples.
    for label in ["\"Dropout\\n[3, 12]\"", "\"Linear\\n[3, 10]\"", "\"CrossEntropy\\n[3]\""] {
      #expect(graph.contains(label), "\(label) in\n\(graph)")
    }
    #expect(try trainer.graphDescription(samples: 3) == graph)
    #expect(trainer.model.parameters.map { $0.array(of: Float.self) } == before)
    #expect(trainer.step == 0)
  }
}
