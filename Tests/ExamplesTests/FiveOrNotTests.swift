import Examples
import TestSupport
import Testing

@Suite struct FiveOrNotTests {
  @Test("every row on the digits in the program is PyTorch's")
  func digits() throws {
    try compare(FiveOrNot.train(try .digits(), steps: 200, every: 20), "digits")
  }

  @Test(
    "every row of 1,000 steps on MNIST is PyTorch's, from 0.12 down to 0.004 without errors",
    .enabled(if: MNIST.isThere, "MNIST is not beside the package"))
  func mnist() throws {
    let rows = FiveOrNot.train(try MNIST.images())
    try compare(rows, "mnist")
    #expect(rows.last!.loss < 0.005)
    #expect(rows.last!.errors == 0)
  }

  private func compare(_ rows: [FiveOrNot.Row], _ name: String) throws {
    let golden = try goldens.get()
    #expect(rows.map { Double($0.step) } == (try golden["\(name)/steps"].values))
    #expect(areClose(rows.map(\.loss), try golden["\(name)/losses"].values, within: 1e-4))
    // An output at the very threshold may be rounded to either side of it.
    let errors = rows.map { Double($0.errors) }
    #expect(areClose(errors, try golden["\(name)/errors"].values, within: 1))
  }
}
