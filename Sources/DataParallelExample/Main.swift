// Data-parallel training in your own program: a model, data and a loop, and what it takes to
// run them on any number of ranks.
//
//     swift build -c release --product data-parallel-example
//     .build/release/data-parallel-example
//     mpirun -np 4 .build/release/data-parallel-example
import Foundation
import Lockstep

/// Two layers, written as one would for a single process.
struct Classifier: Module {
  let hidden = Linear(2, 32)
  let normalization = BatchNorm1d(32)
  let output = Linear(32, 3)

  func callAsFunction(_ x: Tensor) -> Tensor {
    output(normalization(hidden(x)).relu().dropout(0.1))
  }
}

/// Points on the arms of a spiral, one arm for each of three classes.
struct Spiral {
  let count = 900

  func inputs(_ samples: Range<Int>) -> Tensor {
    let points = samples.flatMap { sample -> [Float] in
      let point = place(of: sample)
      let radius = Double(point / 3) / Double(count / 3)
      let angle = 4 * radius + 2 * Double.pi / 3 * Double(point % 3)
      return [Float(radius * cos(angle)), Float(radius * sin(angle))]
    }
    return .of(points, shape: [samples.count, 2])
  }

  func labels(_ samples: Range<Int>) -> Tensor {
    .of(samples.map { Int32(place(of: $0) % 3) }, shape: [samples.count])
  }

  /// Which point a sample is: every batch has some from everywhere.
  private func place(of sample: Int) -> Int { sample * 337 % count }
}

@main struct DataParallelExample {
  static func main() throws {
    let ranks = try MPICommunicator.start()  // 1
    let model = Classifier()
    let data = Spiral()

    var options = DataParallel.Options()  // 2
    options.synchronizedBatchNorm = true  // 3
    options.microBatches = 2  // 4
    let parallel = try DataParallel(model, ranks, options: options) {  // 5
      AdamW($0)
    }

    let batch = 150
    for epoch in 0..<200 {
      var (loss, samples) = (0.0, 0.0)
      for start in stride(from: 0, to: data.count, by: batch) {
        let result = try parallel.step(  // 6
          samples: start..<start + batch, epoch: epoch, learningRate: 0.01
        ) { samples in  // 7
          crossEntropy(model(data.inputs(samples)), data.labels(samples))
        }
        loss += result.lossSum
        samples += result.sampleCount
      }
      if ranks.isRoot, (epoch + 1) % 50 == 0 {  // 8
        print(String(format: "epoch %3d  loss %.4f", epoch + 1, loss / samples))
      }
    }

    // Each rank tests its slice; the counts are added up over all.
    let own = parallel.slice(of: 0..<data.count)  // 9
    let right = withEvaluation {
      withoutGrad {
        (model(data.inputs(own)).argmax(axis: 1) .== data.labels(own)).sum().item()
      }
    }
    let accuracy = ranks.allReduce(right, .sum) / Double(data.count)  // 10
    if ranks.isRoot { print(String(format: "accuracy %.3f", accuracy)) }
  }
}
