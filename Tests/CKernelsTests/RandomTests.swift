import CKernels
import Foundation
import Testing

/// Philox 4x32-10, written for reading.
private func philox(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
  var (c, k) = (counter, key)
  for _ in 0..<10 {
    let a = UInt64(c[0]) * 0xd251_1f53
    let b = UInt64(c[2]) * 0xcd9e_8d57
    c = [
      UInt32(b >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: b),
      UInt32(a >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: a),
    ]
    k = [k[0] &+ 0x9e37_79b9, k[1] &+ 0xbb67_ae85]
  }
  return c
}

private func halves(_ x: UInt64) -> [UInt32] {
  [UInt32(truncatingIfNeeded: x), UInt32(truncatingIfNeeded: x >> 32)]
}

/// Element `i` of the uniform stream.
private func uniform(_ seed: UInt64, _ stream: UInt64, _ i: UInt64) -> Double {
  Double(philox(halves(i / 4) + halves(stream), halves(seed))[Int(i % 4)] >> 8) / 0x1p24
}

/// Element `i` of the float64 uniform stream: 29 more bits, from another key.
private func uniform53(_ seed: UInt64, _ stream: UInt64, _ i: UInt64) -> Double {
  let words = philox(halves(i / 4) + halves(stream), halves(seed ^ 0x9e37_79b9_7f4a_7c15))
  return uniform(seed, stream, i) + Double(words[Int(i % 4)] >> 3) / 0x1p53
}

@Suite("Random numbers")
struct RandomTests {
  @Test("the reference generator gives the published words")
  func knownAnswers() {
    #expect(
      philox([0, 0, 0, 0], [0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let ones: UInt32 = 0xffff_ffff
    #expect(
      philox([ones, ones, ones, ones], [ones, ones])
        == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    let u = guarded(4, guard: Float(7)) { ck_uniform(ck_f32, $0, 4, 0, 0, 0, 0, 1) }
    let words: [UInt32] = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    #expect(u == words.map { Float($0 >> 8) / 0x1p24 })
  }

  @Test(
    "uniform numbers are the generator's words, from any first element",
    arguments: [0, 1, 3, 6, 17, 1 << 34, (1 << 34) - 9, .max - 50000] as [UInt64])
  func uniformNumbers(first: UInt64) {
    let seeds: [(UInt64, UInt64)] = [(0, 0), (.max, .max), (0x1234_5678_9abc_def0, 7)]
    for (seed, stream) in seeds {
      for n in [0, 1, 2, 5, 31, 33, 100, 1000] {
        let expected = (0..<n).map { uniform(seed, stream, first + UInt64($0)) }
        let float = guarded(n, guard: Float(7)) {
          ck_uniform(ck_f32, $0, n, seed, stream, first, 0, 1)
        }
        #expect(float.map { Double($0) } == expected)
        let double = guarded(n, guard: Double(7)) {
          ck_uniform(ck_f64, $0, n, seed, stream, first, -2, 6)
        }
        #expect(
          double == (0..<n).map { -2 + 8 * uniform53(seed, stream, first + UInt64($0)) })
      }
    }
  }

  @Test("a long stream equals its parts")
  func parts() {
    let n = 40001
    let whole = guarded(n, guard: Float(7)) { ck_normal(ck_f32, $0, n, 9, 2, 5, 0, 1) }
    for (first, count) in [(0, 10), (3, 100), (20_000, 20_001), (40_000, 1)] {
      let part = guarded(count, guard: Float(7)) {
        ck_normal(ck_f32, $0, count, 9, 2, UInt64(5 + first), 0, 1)
      }
      #expect(part == Array(whole[first..<first + count]))
    }
  }

  @Test("uniform numbers stay below their upper end")
  func upperEnd() {
    let n = 100_000
    let high = Float(1).nextUp
    let y = guarded(n, guard: Float(7)) { ck_uniform(ck_f32, $0, n, 1, 1, 0, 1, Double(high)) }
    #expect(y.allSatisfy { $0 == 1 })
    #expect(guarded(3, guard: Float(7)) { ck_uniform(ck_f32, $0, 3, 1, 1, 0, 2, 2) } == [2, 2, 2])
  }

  @Test("normal numbers are Box-Muller's transform of the uniform ones")
  func normalNumbers() {
    for first in [0, 1, 6, 1 << 40] as [UInt64] {
      let n = 1003
      func expected(
        _ offset: Int, _ uniform: (UInt64, UInt64, UInt64) -> Double, _ least: Double
      ) -> Double {
        let i = first + UInt64(offset)
        let u = uniform(3, 4, i & ~1) + least
        let angle = 2 * Double.pi * uniform(3, 4, i | 1)
        return 10 + 0.5 * (-2 * log(u)).squareRoot() * (i % 2 == 0 ? cos(angle) : sin(angle))
      }
      let double = guarded(n, guard: Double(7)) { ck_normal(ck_f64, $0, n, 3, 4, first, 10, 0.5) }
      expectClose(double, (0..<n).map { expected($0, uniform53, 0x1p-53) }, 1e-14, "double")
      let float = guarded(n, guard: Float(7)) { ck_normal(ck_f32, $0, n, 3, 4, first, 10, 0.5) }
      expectClose(float, (0..<n).map { expected($0, uniform, 0x1p-24) }, 3e-7, "float")
    }
  }

  @Test("normal numbers have the moments of a normal distribution")
  func moments() {
    let n = 1_000_000
    let z = guarded(n, guard: Float(7)) { ck_normal(ck_f32, $0, n, 11, 0, 0, 0, 1) }.map {
      Double($0)
    }
    let mean = z.reduce(0, +) / Double(n)
    let variance = z.reduce(0) { $0 + $1 * $1 } / Double(n)
    let fourth = z.reduce(0) { $0 + $1 * $1 * $1 * $1 } / Double(n)
    #expect(abs(mean) < 0.005 && abs(variance - 1) < 0.01 && abs(fourth - 3) < 0.05)
  }

  @Test(
    "dropout follows the generator, keyed by sample and column", arguments: [1, 3, 10, 32, 33, 100])
  func dropout(cols: Int) {
    let rows = 5
    let samples: [UInt64] = [7, 1 << 40, 0, 7, .max]
    var numbers = Numbers(seed: cols)
    let x = numbers.floats(rows * cols, in: 1...2)
    let p = Double(0.3 as Float)
    func expected(_ sample: (Int) -> UInt64) -> [Double] {
      (0..<rows * cols).map { k in
        let (r, c) = (k / cols, k % cols)
        let counter = [UInt32(c / 4), 21] + halves(sample(r))
        let u = Double(philox(counter, halves(99))[c % 4] >> 8) / 0x1p24
        return u < p ? 0 : Double(x[k]) / (1 - p)
      }
    }
    let y = guarded(rows * cols, guard: Float(7)) {
      for r in 0..<rows {
        ck_dropout(
          ck_f32, $0 + r * cols, Array(x[r * cols..<(r + 1) * cols]), 1, cols, p, 99, 21, samples[r]
        )
      }
    }
    expectClose(y, expected { samples[$0] }, 3e-7, "by sample numbers")
    let z = guarded(rows * cols, guard: Float(7)) {
      ck_dropout(ck_f32, $0, x, rows, cols, p, 99, 21, 1000)
    }
    expectClose(z, expected { UInt64(1000 + $0) }, 3e-7, "by the first sample")
    let w = guarded(rows * cols, guard: Double(7)) {
      for r in 0..<rows {
        let row = x[r * cols..<(r + 1) * cols].map { Double($0) }
        ck_dropout(ck_f64, $0 + r * cols, row, 1, cols, p, 99, 21, samples[r])
      }
    }
    expectClose(w, expected { samples[$0] }, 1e-7, "double")
  }

  @Test("dropout of probability zero keeps all and of one keeps none")
  func dropoutLimits() {
    let x: [Float] = [1, 2, 3]
    #expect(guarded(3, guard: Float(7)) { ck_dropout(ck_f32, $0, x, 1, 3, 0, 1, 1, 0) } == x)
    #expect(
      guarded(3, guard: Float(7)) { ck_dropout(ck_f32, $0, x, 1, 3, 1, 1, 1, 0) } == [0, 0, 0])
  }

  @Test("dropout drops the share that was asked for")
  func dropoutShare() {
    let n = 200_000
    let x = [Float](repeating: 1, count: n)
    let y = guarded(n, guard: Float(7)) { ck_dropout(ck_f32, $0, x, 200, 1000, 0.25, 5, 6, 0) }
    let dropped = Double(y.filter { $0 == 0 }.count) / Double(n)
    #expect(abs(dropped - 0.25) < 0.005)
  }
}
