import Foundation
import Lockstep
import Testing

@Suite("README")
struct ReadmeTests {
  @Test("the example of README learns exclusive or, and is the one printed there")
  func example() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appending(path: "xor.safetensors").path
    let classesFound = try withRandomSource(seed: 1) {
      let points = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
      let classes = Tensor([0, 1, 1, 0] as [Int32])  // exclusive or

      func makeModel() -> Sequential { Sequential(Linear(2, 8), Tanh(), Linear(8, 2)) }

      let model = makeModel()
      let arena = ParameterArena(model)
      let optimizer = SGD(arena, SGD.Options(momentum: 0.9))

      for _ in 0..<200 {
        let loss = crossEntropy(model(points), classes)
        arena.zeroGrad()
        loss.backward()
        optimizer.step(learningRate: 0.1)
      }
      try model.save(to: file)

      let trained = makeModel()
      try trained.load(from: file)
      return withoutGrad { trained(points).argmax(axis: 1) }
    }
    #expect(classesFound.array(of: Int32.self) == [0, 1, 1, 0])

    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let start = try #require(readme.range(of: "import LockstepTensors\n\n")?.upperBound)
    let end = try #require(readme[start...].range(of: "print(")?.lowerBound)
    for line in readme[start..<end].split(separator: "\n") {
      let line = line.replacing("\"xor.safetensors\"", with: "file")
      #expect(source.contains(line.trimmingCharacters(in: .whitespaces)), "\(line)")
    }
  }
}
