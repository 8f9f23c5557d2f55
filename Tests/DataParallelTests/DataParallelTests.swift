import Base
import Collectives
import DataParallel
import Foundation
import NeuralNetworks
import Optimizers
import Synchronization
import Settings
import TensorCore
import Testing

@Suite struct DataParallelTests {
  @Test(
    "any number of ranks trains what one process trains, to rounding",
    arguments: [
      Ranks(count: 2, perNode: 2), Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2),
      Ranks(count: 3, perNode: 1), Ranks(count: 5, perNode: 2),
    ], [Overlap.sync, .poll, .thread])
  fileprivate func equivalence(_ ranks: Ranks, overlap: Overlap) throws {
    for example in [Case.mlp, .gpt] {
      let expected = try train(example, on: .one)[0]
      let found = try train(example, on: ranks) { $0.overlap = overlap }
      #expect(found.allSatisfy { $0 == found[0] })
      #expect(difference(found[0], expected) < roundingBound, "\(example.testDescription)")
    }
  }

  @Test(
    "every algorithm between nodes trains what one process trains, to rounding",
    arguments: InterNodeAllReduce.all.indices,
    [Ranks(count: 3, perNode: 1), Ranks(count: 8, perNode: 2)])
  fileprivate func algorithms(index: Int, ranks: Ranks) throws {
    let algorithm = InterNodeAllReduce.all[index]
    let expected = try train(.mlp, on: .one)[0]
    let found = try train(.mlp, on: ranks, algorithm: algorithm)
    #expect(found.allSatisfy { $0 == found[0] })
    #expect(difference(found[0], expected) < roundingBound, "\(algorithm.name)")
  }

  @Test("auto takes an algorithm that all ranks agree on, and says what each took")
  func fastestAllReduce() throws {
    for (ranks, slices) in [(Ranks(count: 6, perNode: 2), nil), (Ranks(count: 4, perNode: 1), 8)] {
      let choices = try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
        var options = DataParallel.Options()
        options.fixedSlices = slices
        let model = withRandomSource(seed: 1, Case.mlp.makeModel)
        let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
        return try #require(parallel.interNodeAllReduce)
      }
      // Those that give the same bits; without nodesPerSwitch there is no two-level one.
      let candidates = InterNodeAllReduce.all(withSameBitsFor: ranks.count / ranks.perNode)
        .map(\.name).filter { $0 != "two-level" }
      for choice in choices {
        #expect(choice.description == choices[0].description)
        #expect(choice.description.hasPrefix("\(choice.algorithm.name), "))
        #expect(choice.timings.map(\.algorithm.name).sorted() == candidates.sorted())
        #expect(choice.timings.allSatisfy { $0.seconds > 0 } && choice.bytes > 0)
      }
    }
  }

  @Test("an algorithm that is named is not timed, and the two-level one needs switches")
  func namedAllReduce() throws {
    func choice(
      _ name: String, nodes: Int, nodesPerSwitch: Int?, overlap: Overlap = .auto
    ) throws -> AllReduceChoice? {
      try withRanks(nodes, ranksPerNode: 1) { communicator in
        var options = DataParallel.Options()
        options.allReduce = name
        options.overlap = overlap
        options.nodesPerSwitch = nodesPerSwitch
        return try DataParallel(Linear(1, 1), communicator, options: options) { SGD($0) }
          .interNodeAllReduce
      }[0]
    }
    for name in InterNodeAllReduce.all.map(\.name) {
      let found = try choice(name, nodes: 4, nodesPerSwitch: 2)
      #expect(found?.description == name && found?.timings.count == 0)
      #expect(try choice(name, nodes: 1, nodesPerSwitch: 2) == nil)
    }
    #expect(throws: CollectiveFailure.self) {
      try choice("two-level", nodes: 4, nodesPerSwitch: nil)
    }
    #expect(throws: CollectiveFailure.self) {
      try choice("token-ring", nodes: 2, nodesPerSwitch: nil)
    }
    // A rank that polls must not wait for one that waits for it in the step header.
    #expect(throws: CollectiveFailure.self) {
      try choice("mpi", nodes: 2, nodesPerSwitch: nil, overlap: .poll)
    }
    let polled = try choice("auto", nodes: 2, nodesPerSwitch: nil, overlap: .poll)
    #expect(polled?.timings.contains { $0.algorithm.blocks } == false)
    let timed = try choice("auto", nodes: 4, nodesPerSwitch: 2)
    #expect(timed?.timings.contains { $0.algorithm.name == "two-level" } == true)
  }

  @Test("a run whose nodes do not fill several switches warns and takes what auto takes")
  func unfilledSwitches() throws {
    /// Whether all ranks chose by time, and their warning.
    func run(nodes: Int, _ allReduce: String = "two-level") throws -> (Bool, String?) {
      let found = try withRanks(nodes, ranksPerNode: 1) { communicator in
        var options = DataParallel.Options()
        options.allReduce = allReduce
        options.nodesPerSwitch = 2
        let parallel = try DataParallel(Linear(1, 1), communicator, options: options) { SGD($0) }
        return (parallel.interNodeAllReduce?.timings.isEmpty == false, parallel.warning)
      }
      #expect(found.allSatisfy { $0 == found[0] })
      return (found[0].0, found[0].1?.inSection("distributed").description)
    }
    // As after the loss of the fourth node, and of a second one.
    for nodes in [3, 2] {
      let (isTimed, warning) = try run(nodes: nodes)
      #expect(isTimed)
      #expect(
        warning?.hasPrefix(
          "'distributed.nodesPerSwitch' is 2, of which the \(nodes) nodes of this run are no larger multiple"
        ) == true)
    }
    for (nodes, allReduce) in [(1, "two-level"), (4, "two-level"), (3, "auto"), (3, "ring")] {
      #expect(try run(nodes: nodes, allReduce).1 == nil)
    }
  }

  @Test(
    "the norm of the gradient is that of the whole batch on any ranks, and changes no weight",
    arguments: [
      Ranks.one, Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2),
    ])
  fileprivate func gradientNorm(_ ranks: Ranks) throws {
    for clip in [nil, 1e-3] {
      let results = try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
        var weights: [[Double]] = []
        var norm: Double?
        for measures in [false, true] {
          let model = withRandomSource(seed: 1, Case.mlp.makeModel)
          var options = DataParallel.Options()
          options.gradientClipNorm = clip
          let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
          let result = try parallel.step(
            // One rank asks, and all are told.
            samples: 0..<11, learningRate: 0.1, wantsNorm: measures && communicator.isRoot
          ) { Case.mlp.loss(model, $0) }
          if !measures && clip == nil { try #require(result.gradientNorm == nil) }
          norm = result.gradientNorm
          weights.append(model.stateDictionary().flatMap { $0.value.doubles() })
        }
        return (norm: norm!, isSame: weights[0] == weights[1])
      }
      let model = withRandomSource(seed: 1, Case.mlp.makeModel)
      let arena = ParameterArena(model)
      Case.mlp.loss(model, 0..<11).backward()
      let expected = arena.gradientNorm()
      for result in results {
        #expect(result.isSame && abs(result.norm / expected - 1) < 1e-6)
      }
    }
  }

  @Test("what the loss closure counts is summed over all samples")
  func sums() throws {
    for (ranks, slices) in [(Ranks.one, nil), (Ranks(count: 4, perNode: 2), nil), (.one, 4)] {
      let results = try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
        let model = withRandomSource(seed: 1) { Linear(1, 1) }
        var options = DataParallel.Options()
        options.fixedSlices = slices
        options.microBatches = 2
        let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
        // Fewer samples than ranks in the second step.
        return try [0..<11, 11..<13].map { batch in
          try parallel.step(samples: batch, learningRate: 0.1, summing: ["even", "none", "sum"]) {
            samples in
            let even = Double(samples.count { $0.isMultiple(of: 2) })
            return (
              model(.ones([samples.count, 1])).mean(),
              ["sum": Double(samples.reduce(0, +)), "even": even]
            )
          }
        }
      }
      for result in results {
        #expect(result[0].sums == ["even": 6, "none": 0, "sum": 55])
        #expect(result[1].sums == ["even": 1, "none": 0, "sum": 23])
      }
    }
  }

  @Test("a sum that was not asked for is an error")
  func unknownSum() async {
    await #expect(processExitsWith: .failure) {
      let model = Linear(1, 1)
      let parallel = try DataParallel(model, SingleProcess()) { SGD($0) }
      _ = try parallel.step(samples: 0..<2, learningRate: 0.1, summing: ["correct"]) { samples in
        (model(.ones([samples.count, 1])).mean(), ["corect": 1])
      }
    }
  }

  @Test("clipping is by the norm of the mean gradient over all ranks")
  func clipping() throws {
    let expected = try train(.mlp, on: .one) { $0.gradientClipNorm = 0.01 }[0]
    #expect(difference(expected, try train(.mlp, on: .one)[0]) > 3e-3)
    for perNode in [1, 3] {
      let found = try train(.mlp, on: Ranks(count: 3, perNode: perNode)) {
        $0.gradientClipNorm = 0.01
      }
      #expect(found.allSatisfy { difference($0, expected) < roundingBound })
    }
  }

  @Test("a parameter may be used on some ranks, on none, or several times")
  func unevenUse() throws {
    struct Parts: Module {
      let sometimes = Parameter(.full([3], 2))
      let never = Parameter(.full([3], 3))
      let often = Parameter(.full([3], 4))
    }
    /// The weights after a step over four samples, of which sample 0 alone uses `sometimes`.
    func train(_ ranks: Ranks, overlap: Overlap) throws -> [Double] {
      let weights = try withRanks(ranks.count, ranksPerNode: ranks.perNode) {
        communicator -> [Double] in
        let model = Parts()
        var options = DataParallel.Options()
        options.overlap = overlap
        let parallel = try DataParallel(model, communicator, options: options) {
          SGD($0, SGD.Options(weightDecay: 0.5))
        }
        let result = try parallel.step(samples: 0..<4, learningRate: 1) { samples in
          var sum = (model.often * model.often).sum() * Double(samples.count)
          if samples.contains(0) { sum = sum + model.sometimes.sum() }
          return sum / Double(samples.count)
        }
        #expect(abs(result.loss - (48 + 6.0 / 4)) < 1e-6)
        #expect(model.never.grad == nil)
        parallel.gatherGradients()
        #expect(model.sometimes.grad!.doubles() == [0.25, 0.25, 0.25])
        return [model.sometimes, model.never, model.often].map { $0.doubles()[0] }
      }
      return weights[0]
    }
    // w - (gradient + w / 2), and no decay without a gradient.
    let expected: [Double] = [0.75, 3, -6]
    for overlap in [Overlap.sync, .poll, .thread] {
      for ranks in [Ranks.one, Ranks(count: 2, perNode: 2), Ranks(count: 4, perNode: 2)] {
        #expect(try train(ranks, overlap: overlap) == expected)
      }
    }
  }

  @Test("statistics over the samples of all ranks are those of one process, without samples too")
  func synchronizedBatchNorm() throws {
    for batch in [2, 12] {
      let expected = try train(.cnn, on: .one, batch: batch)[0]
      for ranks in [Ranks(count: 3, perNode: 3), Ranks(count: 4, perNode: 2)] {
        let found = try train(.cnn, on: ranks, batch: batch) { $0.synchronizedBatchNorm = true }
        #expect(found.allSatisfy { $0 == found[0] })
        #expect(difference(found[0], expected) < roundingBound, "batch \(batch), \(ranks)")
      }
    }
    let apart = try train(.cnn, on: Ranks(count: 3, perNode: 3), batch: 12)[0]
    #expect(difference(apart, try train(.cnn, on: .one, batch: 12)[0]) > 1e-4)
  }

  @Test("a rank whose weights differ is found, with the parameter")
  func audit() {
    let error = #expect(throws: ReplicasDiverged.self) {
      try withRanks(4, ranksPerNode: 1) { communicator in
        let model = withRandomSource(seed: 1) { Linear(4, 3) }
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        for step in 0..<200 {
          if step == 50, communicator.rank == 2 {
            withoutGrad { _ = model.bias!.add_(Tensor(Float(1e-7))) }
          }
          _ = try parallel.step(samples: 0..<8, learningRate: 0) { samples in
            model(.ones([samples.count, 4])).mean()
          }
        }
      }
    }
    #expect(error?.rank == 2)
    #expect(error?.step == 100)
    #expect(error?.parameter == "bias")
    #expect(error?.exitStatus == .replicasDiverged)
  }

  @Test("of two replicas that differ neither is taken for right")
  func noMajority() throws {
    let error = #expect(throws: ReplicasDiverged.self) {
      try withRanks(4, ranksPerNode: 2) { communicator in
        let model = withRandomSource(seed: 1) { Linear(4, 3) }
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        if communicator.rank == 0 { withoutGrad { _ = model.bias!.add_(Tensor(Float(1e-7))) } }
        try parallel.audit()
      }
    }
    #expect(error?.hasMajority == false)
    #expect(error?.rank == 2)
    #expect(error?.description.contains("rank 0 and rank 2 on") == true)
    #expect(error?.description.contains("two replicas give no majority") == true)
    #expect(error?.description.contains("than most") == false)
  }

  @Test("the optimizer's state is compared where that is asked for")
  func optimizerAudit() throws {
    let error = #expect(throws: ReplicasDiverged.self) {
      try withRanks(3, ranksPerNode: 1) { communicator in
        let model = withRandomSource(seed: 1) { Linear(4, 3) }
        let parallel = try DataParallel(model, communicator) {
          SGD($0, SGD.Options(momentum: 0.9))
        }
        if communicator.rank == 1 { parallel.optimizer.stateBuffers[0].values[0] = 1 }
        try parallel.audit()
        try parallel.audit(includesOptimizer: true)
      }
    }
    #expect(error?.rank == 1)
    #expect(error?.parameter.hasPrefix("momentum_buffer.") == true)
  }

  /// Takes steps of a model of two layers; `change` runs after each step.
  private func takeSteps(
    _ count: Int, _ communicator: any Communicator,
    _ change: (_ step: Int, DataParallel, Linear) throws -> Void
  ) throws {
    let (first, last) = withRandomSource(seed: 1) { (Linear(40, 300), Linear(300, 3)) }
    let model = Sequential(first, Tanh(), last)
    let parallel = try DataParallel(model, communicator) { SGD($0, SGD.Options(momentum: 0.9)) }
    for step in 1...count {
      _ = try parallel.step(samples: 0..<8, learningRate: 0.1) { samples in
        model(.ones([samples.count, 40])).mean()
      }
      try change(step, parallel, last)
    }
  }

  @Test("no rank updates weights before all are ready for it", arguments: [1, 2])
  func readyForUpdate(_ ranks: Int) throws {
    let calls = Mutex(0)
    _ = try withRanks(ranks) { communicator in
      let layer = withRandomSource(seed: 1) { Linear(4, 3) }
      let parallel = try DataParallel(layer, communicator) { SGD($0, SGD.Options()) }
      let before = layer.weight.doubles()
      parallel.willUpdate = {
        // The first rank comes last.
        if communicator.rank == 0 { usleep(20_000) }
        #expect(layer.weight.doubles() == before)
        calls.withLock { $0 += 1 }
      }
      _ = try parallel.step(samples: 0..<8, learningRate: 0.1) { samples in
        layer(.ones([samples.count, 4])).mean()
      }
      #expect(layer.weight.doubles() != before)
    }
    #expect(calls.withLock { $0 } == ranks)
  }

  @Test(
    "a bit of the weights that flips in memory is found, with parameter and rank",
    arguments: [Ranks.one, Ranks(count: 2, perNode: 2), Ranks(count: 2, perNode: 1)])
  func flippedBit(_ ranks: Ranks) throws {
    // Each rank updates a chunk: the arena's end is the first layer, the last rank's.
    let error = #expect(throws: WeightsChanged.self) {
      try withRanks(ranks.count, ranksPerNode: ranks.perNode) { communicator in
        try takeSteps(8, communicator) { step, parallel, _ in
          if step == 4, communicator.rank == ranks.count - 1 {
            let weight = parallel.arena.values.baseAddress! + parallel.arena.count - 16
            weight.pointee = Float(bitPattern: weight.pointee.bitPattern ^ 1)
          }
          communicator.barrier()
        }
      }
    }
    // The update of step 5 finds other weights than that of step 4 left; all ranks know in step 6.
    #expect(error?.step == 5)
    #expect(error?.rank == ranks.count - 1)
    #expect(error?.parameters.contains("'0.weight'") == true)
    #expect(error?.exitStatus == .replicasDiverged)
  }

  @Test("a flipped bit is found before the weights are saved")
  func flippedBitAtAudit() throws {
    let error = #expect(throws: WeightsChanged.self) {
      try takeSteps(8, SingleProcess()) { step, parallel, _ in
        if step == 4 { parallel.arena.values[0] += 1 }
        if step == 4 { try parallel.audit() }
      }
    }
    #expect(error?.step == 4)
  }

  @Test("weights that the program changes are no flipped bits", arguments: [1, 2])
  func ownChanges(_ ranks: Int) throws {
    _ = try withRanks(ranks) { communicator in
      try takeSteps(20, communicator) { step, parallel, layer in
        if ranks == 1, step < 10 {
          withoutGrad { _ = layer.weight.add_(Tensor(Float(1))) }
        } else {
          parallel.changeParameters { _ = layer.weight.mul_(Tensor(Float(0.5))) }
        }
        if step > 15 { try parallel.audit() }
      }
    }
  }

  @Test("a loss that is not finite tells rank, samples and part", arguments: [1, 3])
  func nonFiniteOrigin(_ perNode: Int) throws {
    let error = #expect(throws: NonFiniteStep.self) {
      try withRanks(3, ranksPerNode: perNode) { communicator in
        let model = withRandomSource(seed: 1) { Linear(1, 1) }
        var options = DataParallel.Options()
        options.microBatches = 2
        let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
        _ = try parallel.step(samples: 100..<118, learningRate: 1) { samples in
          model(.full([1, 1], samples.contains(110) ? .infinity : 1)).mean()
        }
      }
    }
    // 110 is in the second half of the second slice, 106..<112.
    #expect(error?.origin.rank == 1)
    #expect(error?.origin.samples == 109..<112)
    #expect(error?.origin.part == .loss)
  }

  @Test("weights that are not finite are named")
  func nonFiniteWeights() throws {
    let error = #expect(throws: NonFiniteStep.self) {
      try takeSteps(3, SingleProcess()) { step, parallel, layer in
        withoutGrad { _ = layer.weight.mul_(Tensor(Float.infinity)) }
      }
    }
    #expect(error?.origin.part == .weights)
    #expect(error?.origin.parameter == "2.weight")
  }

  @Test(
    "a gradient that is not finite fails the step where gradients are checked",
    arguments: [1, 2], [true, false])
  func nonFiniteGradient(_ perNode: Int, _ checks: Bool) throws {
    let outcomes = try withRanks(2, ranksPerNode: perNode) { communicator in
      let model = withRandomSource(seed: 1) { Sequential(Linear(2, 2), Linear(2, 1)) }
      var options = DataParallel.Options()
      options.checksGradients = checks
      let parallel = try DataParallel(model, communicator, options: options) { SGD($0) }
      let before = model.stateDictionary().flatMap { $0.value.doubles() }
      var origin: NonFiniteStep.Origin?
      do {
        _ = try parallel.step(samples: 0..<2, learningRate: 0.1) { samples in
          // The square root of zero has an infinite slope; 0 times infinity is NaN.
          let output = model(.ones([1, 2])).mean()
          return samples.contains(1) ? output + (output * 0).sqrt() : output
        }
      } catch let error as NonFiniteStep {
        origin = error.origin
      }
      let after = model.stateDictionary().flatMap { $0.value.doubles() }
      return (origin, isUnchanged: after == before)
    }
    for (origin, isUnchanged) in outcomes {
      #expect(isUnchanged == checks)
      #expect(origin?.rank == (checks ? 1 : nil))
      #expect(origin?.part == (checks ? .gradient : nil))
      #expect(origin?.parameter.hasPrefix("1.") == (checks ? true : nil))
    }
  }

  @Test("parameters change in one place for all ranks of a node")
  func changes() throws {
    let weights = try withRanks(4, ranksPerNode: 2) { communicator in
      let model = withRandomSource(seed: 1) { Linear(1, 1) }
      let parallel = try DataParallel(model, communicator) { SGD($0) }
      let before = model.weight.doubles()[0]
      communicator.barrier()
      parallel.changeParameters { _ = model.weight.mul_(Tensor(Float(2))) }
      return model.weight.doubles()[0] / before
    }
    #expect(weights == [2, 2, 2, 2])
  }

  @Test("a loss that is not finite on one rank stops all, and leaves the weights alone")
  func nonFinite() throws {
    for perNode in [1, 3] {
      let weights = try withRanks(3, ranksPerNode: perNode) { communicator in
        let model = withRandomSource(seed: 1) { Linear(1, 1) }
        let parallel = try DataParallel(model, communicator) { SGD($0) }
        let before = model.weight.doubles()
        #expect(throws: NonFiniteStep.self) {
          _ = try parallel.step(samples: 0..<3, learningRate: 1) { samples in
            model(.full([1, 1], samples.contains(1) ? .infinity : 1)).mean()
          }
        }
        let unchanged = model.weight.doubles() == before
        // The ranks are still in step.
        let result = try parallel.step(samples: 0..<3, learningRate: 1) { _ in
          model(.ones([1, 1])).mean()
        }
        return unchanged && result.loss.isFinite && model.weight.doubles() != before
      }
      #expect(weights == [true, true, true])
    }
  }

  @Test("ranks that take different steps find out in that step")
  func differentSteps() throws {
    let found = try withRanks(3) { communicator in
      let model = withRandomSource(seed: 1) { Linear(1, 1) }
      let parallel = try DataParallel(model, communicator) { SGD($0) }
      func step(_ samples: Range<Int>, _ rate: Double) throws {
        _ = try parallel.step(samples: samples, learningRate: rate) { samples in
          model(.ones([samples.count, 1])).mean()
        }
      }
      try step(0..<3, 0.1)
      #expect(throws: StepsDiffer.self) { try step(0..<3, communicator.rank == 1 ? 0.2 : 0.1) }
      #expect(throws: StepsDiffer.self) {
        try step(communicator.rank == 2 ? 3..<6 : 0..<3, 0.1)
      }
      try step(3..<6, 0.1)
      return true
    }
    #expect(found.count == 3)
  }

  @Test("ranks with other models do not begin")
  func disagreement() {
    let error = #expect(throws: RankDisagreement.self) {
      try withRanks(2) { communicator in
        _ = try DataParallel(Linear(1, communicator.rank + 1), communicator) { SGD($0) }
      }
    }
    #expect(error?.description.contains("model") == true)
  }
}
