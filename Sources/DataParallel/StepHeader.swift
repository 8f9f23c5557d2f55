import CKernels
import Collectives
import TensorCore

/// What ranks tell each other once a step, in one small all-reduce: sums over the samples, and what
/// each rank wants the others to know.
///
/// All ranks learn in the same step that one has to stop, has a loss that is not finite, or is about
/// to take another step than the others.
struct StepHeader {
  /// The samples whose losses were added.
  var sampleCount = 0.0
  /// How many ranks were asked to stop.
  var stopRequests = 0.0
  /// How many ranks were asked to save.
  var saveRequests = 0.0
  /// How many ranks want to know the norm of the gradient.
  var normRequests = 0.0
  /// How many ranks have a loss, or a gradient that is checked, which is not finite.
  var nonFiniteRanks = 0.0
  /// How many ranks have found weights that no update has written.
  var changedRanks = 0.0
  /// The sum of the losses of each slice of the batch; zero for those of other ranks.
  ///
  /// They are added up after the all-reduce, so that their sum does not depend on the number of
  /// ranks.
  var lossSums: [Double]
  /// For each parameter, how many ranks have a gradient.
  private(set) var gradientRanks: [Double]
  /// The further sums that the caller asked for, by name.
  private let sumNames: [String]
  private var sums: [Double]
  /// A fingerprint of the step that this rank is about to take, and its square: all ranks take the
  /// same step if and only if the fingerprints have no variance.
  private var fingerprint = 0.0
  private var fingerprintSquared = 0.0

  init(slices: Int, parameters: Int, sums names: [String]) {
    lossSums = Array(repeating: 0, count: slices)
    gradientRanks = Array(repeating: 0, count: parameters)
    sumNames = names
    sums = Array(repeating: 0, count: names.count)
  }

  /// Sets the step that this rank is about to take.
  mutating func setStep(_ description: [UInt64]) {
    // 20 bits, so that the sum of squares over all ranks is exact.
    let hash = description.withUnsafeBytes { ck_hash($0.baseAddress, $0.count) }
    fingerprint = Double(hash & 0xF_FFFF)
    fingerprintSquared = fingerprint * fingerprint
  }

  /// Whether the ranks whose headers were added up take the same step.
  func isSameStep(on ranks: Int) -> Bool {
    Double(ranks) * fingerprintSquared == fingerprint * fingerprint
  }

  /// Notes that this rank has a gradient of a parameter.
  mutating func markGradient(_ index: Int) { gradientRanks[index] = 1 }

  /// Adds to the sums that the caller asked for.
  mutating func add(_ values: [String: Double]) {
    for (name, value) in values {
      let index = sumNames.firstIndex(of: name)
      require(
        index != nil,
        "DataParallel.step: the loss closure returned a sum '\(name)', but summing is \(sumNames)")
      sums[index!] += value
    }
  }

  /// The sum of all losses.
  var lossSum: Double { lossSums.reduce(0, +) }

  /// The sums that the caller asked for.
  var namedSums: [String: Double] {
    sumNames.isEmpty ? [:] : Dictionary(zip(sumNames, sums)) { first, _ in first }
  }

  /// Adds up the headers of all ranks.
  mutating func allReduce(_ communicator: any Communicator) {
    guard communicator.worldSize > 1 else { return }
    let own =
      [
        sampleCount, stopRequests, saveRequests, normRequests, nonFiniteRanks, changedRanks,
        fingerprint, fingerprintSquared,
      ] + sums + lossSums + gradientRanks
    var totals = communicator.allReduce(own, .sum).makeIterator()
    sampleCount = totals.next()!
    stopRequests = totals.next()!
    saveRequests = totals.next()!
    normRequests = totals.next()!
    nonFiniteRanks = totals.next()!
    changedRanks = totals.next()!
    fingerprint = totals.next()!
    fingerprintSquared = totals.next()!
    for i in sums.indices { sums[i] = totals.next()! }
    for i in lossSums.indices { lossSums[i] = totals.next()! }
    for i in gradientRanks.indices { gradientRanks[i] = totals.next()! }
  }
}
