import Examples
import TestSupport
import Testing

@Suite struct ScalarNetworkTests {
  @Test("loss and gradients by hand and by the program are PyTorch's")
  func gradients() throws {
    let golden = try goldens.get()
    let network = ScalarNetwork()
    for result in [
      network.byHand([1, -1], target: 0), network.automatically([1, -1], target: 0),
    ] {
      let parts: [(String, [Double])] = [
        ("loss", [result.loss]), ("w.grad", result.w.flatMap(\.self)), ("b.grad", result.b),
        ("v.grad", result.v), ("c.grad", [result.c]),
      ]
      for (name, numbers) in parts {
        let expected = try golden["scalar/\(name)"].values
        #expect(areClose(numbers, expected, within: 1e-14), "\(name)")
      }
    }
  }

  @Test("descent lowers the loss at every step")
  func descent() {
    var network = ScalarNetwork()
    let losses = network.train([1, -1], target: 0, steps: 20, learningRate: 0.1)
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 > $1 })
    #expect(losses.last! < 1e-6)
  }
}
