import Foundation
import Lockstep
import Testing

@Suite("README")
struct ReadmeTests {
  @Test("the example of README learns exclusive or, and is the one printed there")
  func example() throws {
    let probabilities = withRandomSource(seed: 1) {
      let model = Sequential(Linear(2, 8), Tanh(), Linear(8, 2))
      let arena = ParameterArena(model)
      let optimizer = SGD(arena, SGD.Options(momentum: 0.9))

      let points = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]] as [[Float]])
      let classes = Tensor([0, 1, 1, 0] as [Int32])  // exclusive or

      for _ in 0..<200 {
        let loss = crossEntropy(model(points), classes)
        arena.zeroGrad()
        loss.backward()
        optimizer.step(learningRate: 0.1)
      }
      return withoutGrad { model(points).softmax() }
    }
    #expect(probabilities.argmax(axis: 1).array(of: Int32.self) == [0, 1, 1, 0])
    #expect(probabilities.max(axes: [1]).min().item() > 0.9)

    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let start = try #require(readme.range(of: "import Lockstep\n\n")?.upperBound)
    let end = try #require(readme[start...].range(of: "print(")?.lowerBound)
    for line in readme[start..<end].split(separator: "\n") {
      #expect(source.contains(line.trimmingCharacters(in: .whitespaces)), "\(line)")
    }
  }
}
