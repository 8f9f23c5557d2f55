import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore
import Testing

@Suite struct WireFormatTests {
  private static let ranks = [
    Ranks(count: 2, perNode: 1), Ranks(count: 3, perNode: 1), Ranks(count: 4, perNode: 2),
    Ranks(count: 5, perNode: 2),
  ]

  @Test(
    "messages in bfloat16 train nearly the same, with the same bits on all ranks",
    arguments: ranks, [false, true])
  fileprivate func close(_ ranks: Ranks, feedback: Bool) throws {
    let exact = try train(.mlp, on: ranks)[0]
    for overlap in [Overlap.sync, .poll, .thread] {
      let found = try train(.mlp, on: ranks) {
        $0.wire = .bfloat16
        $0.errorFeedback = feedback
        $0.overlap = overlap
      }
      #expect(found.allSatisfy { $0 == found[0] })
      #expect(found[0] != exact && difference(found[0], exact) < 0.01)
    }
  }

  @Test("on one node nothing is rounded")
  func oneNode() throws {
    let ranks = Ranks(count: 2, perNode: 2)
    let found = try train(.mlp, on: ranks) { $0.wire = .bfloat16 }
    #expect(try found == train(.mlp, on: ranks))
  }

  /// A model that moves by tiny gradients beside a large one, and what each weight is after some steps.
  private func drift(_ change: @Sendable @escaping (inout DataParallel.Options) -> Void) throws
    -> [Double]
  {
    try withRanks(2, ranksPerNode: 1) { communicator in
      let model = Linear(weight: .zeros([1, 4]), bias: nil)
      var options = DataParallel.Options()
      change(&options)
      let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
      for step in 0..<64 {
        // 1 + 2^-10 is 1 in bfloat16.
        _ = try parallel.step(samples: 0..<2, learningRate: 1) { samples in
          model(.full([samples.count, 4], 1 + 0x1p-10)).mean()
        }
        if step == 31 { parallel.prepareToSave() }
      }
      return model.weight.doubles()
    }[0]
  }

  @Test("error feedback keeps what rounding would lose, up to a checkpoint")
  func feedback() throws {
    let exact = -64 * (1 + 0x1p-10)
    #expect(try drift { $0.wire = .bfloat16 } == [-64, -64, -64, -64])
    let found = try drift {
      $0.wire = .bfloat16
      $0.errorFeedback = true
    }
    #expect(found.allSatisfy { $0 < -64 && abs($0 - exact) <= 0x1p-5 }, "\(found)")
  }

  @Test("a step that is left out leaves no residual behind")
  func nonFinite() throws {
    let weights = try withRanks(2, ranksPerNode: 1) { communicator in
      let model = Linear(weight: .zeros([1, 2]), bias: nil)
      var options = DataParallel.Options()
      options.wire = .bfloat16
      options.errorFeedback = true
      options.checksGradients = true
      let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
      for step in 0..<3 {
        let input = step == 1 ? Double.infinity : 1
        let take = {
          _ = try parallel.step(samples: 0..<2, learningRate: 1) { samples in
            model(.full([samples.count, 2], input)).mean()
          }
        }
        if step == 1 { #expect(throws: NonFiniteStep.self) { try take() } } else { try take() }
      }
      return model.weight.doubles()
    }
    #expect(weights == [[-2, -2], [-2, -2]])
  }

  @Test("what does not fit together is refused")
  func refusals() {
    func message(_ change: (inout DataParallel.Options) -> Void) -> String? {
      var options = DataParallel.Options()
      change(&options)
      do {
        _ = try DataParallel(Linear(2, 1), SingleProcess(), options: options) { SGD($0) }
        return nil
      } catch { return "\(error)" }
    }
    #expect(message { $0.errorFeedback = true }?.contains("set 'wire' to bfloat16") == true)
    let slices = message {
      $0.wire = .bfloat16
      $0.fixedSlices = 2
    }
    #expect(slices?.contains("same bits on any number of nodes") == true)
    #expect(message { $0.wire = .bfloat16 } == nil)
    for (change, text): (@Sendable (inout DataParallel.Options) -> Void, String) in [
      ({ $0.wire = .bfloat16 }, "'wire'"), ({ $0.shardOptimizer = true }, "'shardOptimizer'"),
    ] {
      let failure = #expect(throws: CollectiveFailure.self) {
        try withRanks(2, ranksPerNode: 1) { communicator in
          let model = Linear(weight: .zeros([1, 2], .float64), bias: nil)
          var options = DataParallel.Options()
          change(&options)
          _ = try DataParallel(model, communicator, options: options) { SGD($0) }
        }
      }
      #expect(failure?.message.contains("float64") == true && failure!.message.contains(text))
    }
  }
}
