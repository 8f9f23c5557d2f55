import Foundation
import Lockstep
import Testing

// The code of the article "Random numbers", as it is printed there.

@Suite("Article: random numbers") struct RandomNumbersArticleTests {
  private func loss() -> [Double] {
    setRandomSeed(1)  // torch.manual_seed(1)
    let model = Sequential(Linear(4, 8), ReLU(), Dropout(0.5), Linear(8, 2))
    let noise = Tensor.normal([16, 4])
    let randomness = SampleRandomness(seed: 1, epoch: 0, firstSample: 64)
    let output = withTraining(randomness) { model(noise) }
    return output.doubles() + model(noise).doubles()
  }

  @Test("the code of the article does what it says, and is the one printed there")
  func article() throws {
    let before = randomSource
    defer { randomSource = before }
    #expect(loss() == loss())

    let weights = withRandomSource(seed: 1) { Linear(4, 8).weight }
    let same = withRandomSource(seed: 1) { Linear(4, 8).weight }
    #expect(weights.doubles() == same.doubles())

    let start = randomSource
    let first = Tensor.uniform([3])
    randomSource = start
    let again = Tensor.uniform([3])
    #expect(first.doubles() == again.doubles())

    var source = RandomSource(seed: 7)
    let x = Tensor.uniform([3], using: &source)
    let y = Tensor.uniform([3], using: &source)
    #expect(x.doubles() != y.doubles())

    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let path = "Sources/Lockstep/Lockstep.docc/random-numbers.md"
    let article = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    let own = try String(contentsOfFile: #filePath, encoding: .utf8)
    var isCode = false
    for line in article.split(separator: "\n") {
      if line.hasPrefix("```") {
        isCode.toggle()
      } else if isCode {
        #expect(own.contains(line), "\(line)")
      }
    }
  }
}
