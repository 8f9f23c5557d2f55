import Collectives
import Configuration
import NeuralNetworks
import Settings
import TensorCore
import Testing
import Training

@Suite struct GraphTests {
  @Test("the graph of a loss leads to every parameter once, under its name and shape")
  func digits() throws {
    var configuration = TrainingConfiguration()
    configuration["model.hidden"] = [12, 8]
    configuration["model.dropout"] = 0.5
    let task = try TrainingTask(configuration, SingleProcess())
    let before = task.model.parameters.map { $0.array(of: Float.self) }
    let graph = try task.graphDescription(samples: 3)
    let lines = graph.split(separator: "\n")
    for (name, parameter) in task.model.namedParameters() {
      let label = "label=\"\(name)\\n\(parameter.shape)\", shape=ellipse"
      #expect(lines.count { $0.contains(label) } == 1, "\(label) in\n\(graph)")
    }
    #expect(lines.count { $0.contains("shape=ellipse") } == task.model.parameters.count)
    // Training mode, with the losses of three samples.
    for label in ["\"Dropout\\n[3, 12]\"", "\"Linear\\n[3, 10]\"", "\"CrossEntropy\\n[3]\""] {
      #expect(graph.contains(label), "\(label) in\n\(graph)")
    }
    #expect(try task.graphDescription(samples: 3) == graph)
    #expect(task.model.parameters.map { $0.array(of: Float.self) } == before)
  }
}
