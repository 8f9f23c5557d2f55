import DataLoading
import Foundation
import Settings
import Testing

@Suite("Changes of images while training")
struct AugmentationTests {
  /// IDX images of `count` samples, each 4 by 5, with the numbers of the sample in all pixels or
  /// counted on.
  private func dataset(
    _ augment: [String], count: Int = 40, seed: UInt64 = 1, isConstant: Bool = false
  ) throws -> DataSplits {
    let pixels = (0..<count).flatMap { i in
      (0..<20).map { isConstant ? UInt8(i) : UInt8(100 + i + $0) }
    }
    return try withFolder([
      "train-images-idx3-ubyte": idx([UInt32(count), 4, 5], pixels),
      "train-labels-idx1-ubyte": idx([UInt32(count)], (0..<count).map { UInt8($0) }),
    ]) { folder in
      var source = IDXSource(path: folder)
      source.validation = 0
      source.augment = augment
      return try source.open(seed: seed)
    }
  }

  private func rows(_ input: [Float]) -> [[Float]] {
    (0..<4).map { Array(input[$0 * 5..<($0 + 1) * 5]) }
  }

  @Test("Seed, epoch and sample decide, not the batch, the order or the ranks")
  func keys() throws {
    let augment = ["flip", "resizedCrop 0.3", "colorJitter 0.4", "mixup 0.4", "cutmix 1"]
    let train = try dataset(augment).train
    let all = try trainingContents(train, epoch: 3)
    let same = [
      try trainingContents(train, epoch: 3, batch: 7),
      try trainingContents(dataset(augment).train, epoch: 3),
    ]
    let others = [
      try trainingContents(train, epoch: 4),
      try trainingContents(dataset(augment, seed: 2).train, epoch: 3),
    ]
    #expect(same.allSatisfy { $0 == all })
    #expect(!others.contains(all))
    let partition = BatchPartition(index: 1, of: 3)
    let loader = DataLoader(
      train, sampler: GlobalBatchSampler(count: 40, globalBatch: 40, shuffle: false),
      partition: partition, startingAt: 3)
    let slice = try Contents(loader.next())
    #expect(slice.inputs == Array(all.inputs[partition.slice(of: 0..<40)]))
  }

  @Test("Evaluation sees images as they are, and validation always does")
  func evaluation() throws {
    let augment = ["flip", "crop 2", "colorJitter 0.4", "mixup 0.4"]
    let (changed, plain) = (try dataset(augment).train, try dataset([]).train)
    let (seen, expected) = (try Contents(changed), try Contents(plain))
    #expect(seen.inputs == expected.inputs)
  }

  @Test("Half of the images are flipped")
  func flip() throws {
    let plain = try Contents(dataset([]).train).inputs
    let changed = try trainingContents(dataset(["flip"]).train, epoch: 0).inputs
    var flipped = 0
    for (before, after) in zip(plain, changed) {
      if before == after { continue }
      #expect(rows(after) == rows(before).map { $0.reversed() })
      flipped += 1
    }
    #expect((10...30).contains(flipped))
  }

  @Test("A crop with padding moves the image, and what is outside is black")
  func crop() throws {
    let plain = try Contents(dataset([]).train).inputs
    let changed = try trainingContents(dataset(["crop 2"]).train, epoch: 0).inputs
    var places: Set<[Int]> = []
    for (before, after) in zip(plain, changed) {
      let place = (-2...2).flatMap { y in (-2...2).map { [y, $0] } }.first { place in
        (0..<20).allSatisfy { i in
          let (y, x) = (i / 5 + place[0], i % 5 + place[1])
          let isInside = (0..<4).contains(y) && (0..<5).contains(x)
          return after[i] == (isInside ? before[y * 5 + x] : 0)
        }
      }
      places.insert(try #require(place))
    }
    #expect(places.count > 10)
  }

  @Test("A resized crop keeps the range of values, and differs between images")
  func resizedCrop() throws {
    let plain = try Contents(dataset([]).train).inputs
    let changed = try trainingContents(dataset(["resizedCrop"]).train, epoch: 0).inputs
    for (before, after) in zip(plain, changed) {
      #expect(after.min()! >= before.min()! - 1e-6 && after.max()! <= before.max()! + 1e-6)
    }
    #expect(zip(plain, changed).filter { $0 == $1 }.count < 5)
  }

  @Test("Brightness multiplies, contrast keeps the mean")
  func jitter() throws {
    let plain = try Contents(dataset([]).train).inputs
    var factors: Set<Float> = []
    for (before, after) in zip(
      plain, try trainingContents(dataset(["colorJitter 0.5 0 0"]).train, epoch: 0).inputs)
    {
      let factor = after[0] / before[0]
      #expect(factor > 0.49 && factor < 1.51)
      #expect(zip(before, after).allSatisfy { abs(min(1, $0 * factor) - $1) < 1e-5 })
      factors.insert(factor)
    }
    #expect(factors.count > 30)
    for (before, after) in zip(
      plain, try trainingContents(dataset(["colorJitter 0 0.5 0"]).train, epoch: 0).inputs)
    {
      #expect(abs(before.reduce(0, +) - after.reduce(0, +)) < 1e-3)
    }
  }

  @Test("A turn of the hue keeps the largest and smallest channel; saturation keeps grey as it is")
  func hue() throws {
    let colors = png(
      width: 2, height: 1, colorType: 2, rowBytes: 6, [200, 40, 90, 10, 90, 250])
    func changed(_ augment: String, epoch: Int) throws -> [Float] {
      try withTree(["a/x.png": colors]) { folder in
        var source = ImagesSource(path: folder)
        source.imageSize = [1, 2]
        source.augment = [augment]
        return try trainingContents(source.open(seed: 5).train, epoch: epoch).inputs[0]
      }
    }
    for epoch in 0..<8 {
      let turned = try changed("colorJitter 0 0 0 0.5", epoch: epoch).map { $0 * 255 }
      for (pixel, expected) in [(0, (40, 200)), (1, (10, 250))] {
        let channels = [turned[pixel], turned[2 + pixel], turned[4 + pixel]]
        #expect(abs(channels.min()! - Float(expected.0)) < 0.01)
        #expect(abs(channels.max()! - Float(expected.1)) < 0.01)
      }
      let saturated = try changed("colorJitter 0 0 0.2", epoch: epoch)
      func grey(_ x: [Float]) -> Float { 0.2989 * x[0] + 0.587 * x[2] + 0.114 * x[4] }
      #expect(abs(grey(saturated) * 255 - (0.2989 * 200 + 0.587 * 40 + 0.114 * 90)) < 0.1)
    }
  }

  @Test("Mixup blends two images and names both labels with their shares")
  func mixup() throws {
    let train = try dataset(["mixup 1"], isConstant: true).train
    let mixed = try trainingContents(train, epoch: 0)
    #expect(mixed.mixedLabels.count == 40 && mixed.labels == Array(0..<40))
    for i in 0..<40 {
      let share = mixed.labelShares[i]
      #expect((0...1).contains(share))
      let value = share * Float(mixed.labels[i]) + (1 - share) * Float(mixed.mixedLabels[i])
      #expect(mixed.inputs[i].allSatisfy { abs($0 * 255 - value) < 1e-3 })
    }
    #expect(Set(mixed.mixedLabels).count > 15)
    let all = (0..<30).flatMap { try! trainingContents(train, epoch: $0).labelShares }
    let mean = all.reduce(0, +) / 1_200
    let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1_200
    #expect(abs(mean - 0.5) < 0.03 && abs(variance - 1.0 / 12) < 0.01)  // Beta(1, 1)
  }

  @Test("The shares have the distribution Beta(alpha, alpha)", arguments: [0.2, 0.5, 2])
  func beta(alpha: Double) throws {
    let train = try dataset(["mixup \(alpha)"], isConstant: true).train
    let all = (0..<50).flatMap { try! trainingContents(train, epoch: $0).labelShares }
    let mean = all.reduce(0, +) / 2_000
    let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2_000
    #expect(abs(mean - 0.5) < 0.04)
    #expect(abs(variance - Float(1 / (4 * (2 * alpha + 1)))) < 0.015)
  }

  @Test("Cutmix puts a rectangle of another image in, and the share is the area that is left")
  func cutmix() throws {
    let mixed = try trainingContents(dataset(["cutmix 1"], isConstant: true).train, epoch: 1)
    for i in 0..<40 {
      let own = mixed.inputs[i].filter { abs($0 * 255 - Float(mixed.labels[i])) < 1e-3 }.count
      let other = mixed.inputs[i].filter { abs($0 * 255 - Float(mixed.mixedLabels[i])) < 1e-3 }
        .count
      if mixed.labels[i] == mixed.mixedLabels[i] { continue }
      #expect(own + other == 20 && abs(Float(own) / 20 - mixed.labelShares[i]) < 1e-6)
    }
    #expect(mixed.labelShares.contains { $0 < 0.9 })
  }

  @Test("Values to predict are mixed, too")
  func values() throws {
    let floats = (0..<6).flatMap { i in (0..<4).map { _ in Float(i) / 10 } }
    let inputs = floats.withUnsafeBytes(Array.init)
    let targets = (0..<6).map { Float($0) * 2 + 0.5 }.withUnsafeBytes(Array.init)
    try withFolder([
      "inputs.npy": npy("<f4", "(6, 1, 2, 2)", inputs), "targets.npy": npy("<f4", "(6,)", targets),
    ]) { folder in
      var source = NumPySource(path: folder)
      source.validation = 0
      source.target = .values
      source.augment = ["mixup 1"]
      let mixed = try trainingContents(source.open().train, epoch: 0)
      #expect(mixed.mixedLabels.isEmpty)
      for (input, value) in zip(mixed.inputs, mixed.values) {
        #expect(abs(value[0] - (input[0] * 20 + 0.5)) < 1e-4)
      }
    }
  }

  @Test(
    "Changes that do not exist are refused",
    arguments: [
      "flop", "flip 1", "crop -1", "crop 1.5", "crop x", "resizedCrop 0", "resizedCrop 2",
      "colorJitter", "colorJitter 1 2", "colorJitter 0 0 0 0.6", "mixup", "mixup 0", "cutmix -1",
      "", "crop 1 2", "mixup nan",
    ])
  func refused(text: String) {
    let error = #expect(throws: SettingError.self) { try Augmentation([text]) }
    #expect(error?.setting == "augment" && error?.problem.contains("'\(text)'") == true)
  }

  @Test("Two crops are refused, and changes of samples that are no images")
  func impossible() throws {
    #expect(throws: SettingError.self) { try Augmentation(["crop 1", "resizedCrop 0.5"]) }
    try withFolder([
      "inputs.npy": npy("|u1", "(2, 3)", [1, 2, 3, 4, 5, 6]),
      "targets.npy": npy("|u1", "(2,)", [0, 1]),
    ]) { folder in
      var source = NumPySource(path: folder)
      source.augment = ["flip"]
      let error = #expect(throws: SettingError.self) { try source.open() }
      #expect(error?.setting == "augment")
    }
  }
}
