import Foundation
import TensorCore
import TestSupport
import Testing

/// Linear algebra against PyTorch, closed forms, and matrices without a result.
@Suite("Linear algebra") struct LinearAlgebraTests {
  private typealias Function = @Sendable ([Tensor]) throws -> [Tensor]

  private static let functions: [String: Function] = [
    "solve": { [try $0[0].solve($0[1])] },
    "solve_vectors": { [try $0[0].solve($0[1])] },
    "inverse": { [try $0[0].inverse()] },
    "triangular_lower": { [$0[0].triangularSolve($0[1], upper: false)] },
    "triangular_right": { [$0[0].triangularSolve($0[1], upper: true, left: false)] },
    "triangular_unit": { [$0[0].triangularSolve($0[1], upper: true, unitriangular: true)] },
    "determinant": { [$0[0].determinant()] },
    "determinant_singular": { [$0[0].determinant()] },
    "slogdet": {
      let (sign, logarithm) = $0[0].signAndLogDeterminant()
      return [sign, logarithm]
    },
    "logdet": { [$0[0].logDeterminant()] },
    "cholesky": { [try $0[0].cholesky()] },
    "cholesky_upper": { [try $0[0].cholesky(upper: true)] },
    "qr_tall": {
      let (q, r) = $0[0].qr()
      return [q, r]
    },
    "qr_wide": {
      let (q, r) = $0[0].qr()
      return [q, r]
    },
    "eigh": {
      let (values, vectors) = try $0[0].eigh()
      return [values, vectors.squared()]
    },
    "svd_tall": {
      let (u, s, vh) = try $0[0].svd()
      return [u.squared(), s, vh.squared()]
    },
    "svd_wide": {
      let (u, s, vh) = try $0[0].svd()
      return [u.squared(), s, vh.squared()]
    },
    "pinverse": { [try $0[0].pinverse()] },
    "pinverse_wide": { [try $0[0].pinverse()] },
    "pinverse_deficient": { [try $0[0].pinverse()] },
    "lstsq": { [try $0[0].lstsq($0[1])] },
    "matrix_power": { [try $0[0].matrixPower(3)] },
    "matrix_power_negative": { [try $0[0].matrixPower(-3)] },
    "matrix_exp": { [$0[0].matrixExp()] },
  ]

  @Test("values and gradients are PyTorch's", arguments: functions.keys.sorted())
  func goldens(_ name: String) throws {
    let goldens = try Goldens("linear_algebra", in: .module)
    #expect(goldens.cases == Set(Self.functions.keys))
    for (dataType, tolerance) in [(DataType.float64, 1e-10), (.float32, 2e-3)] {
      let inputs = try (0..<4).filter { goldens.contains("\(name)/in\($0)") }.map {
        let x = try goldens["\(name)/in\($0)"].tensor(dataType)
        x.requiresGrad = true
        return x
      }
      if name == "determinant_singular", dataType == .float32 { continue }
      let results = try Self.functions[name]!(inputs)
      for (index, y) in results.enumerated() {
        let golden = try goldens["\(name)/out\(index)"]
        #expect(y.isContiguous && y.dataType == dataType)
        let wrong =
          name == "determinant_singular"
          ? (abs(y.item()) < 1e-14 ? nil : "not 0")
          : golden.mismatch(y, tolerance: tolerance, relativeTo: .largest)
        #expect(wrong == nil, "\(name), \(dataType), result \(index)")
      }
      let weighted = results.filter(\.requiresGrad).map { y in
        let weights = (0..<y.count).map {
          y.count == 1 ? 0.5 : 0.5 + Double($0) / Double(y.count - 1)
        }
        return (y * withoutGrad { Tensor.of(weights, shape: y.shape).converted(to: dataType) })
          .sum()
      }
      backward(weighted)
      for (index, x) in inputs.enumerated() {
        let golden = try goldens["\(name)/grad\(index)"]
        let wrong = golden.mismatch(x.grad, tolerance: tolerance, relativeTo: .largest)
        #expect(wrong == nil, "\(name), \(dataType), gradient \(index)")
      }
    }
  }

  @Test("large batches, on several threads, and large matrices, satisfy their equations")
  func equations() throws {
    func distance(_ a: Tensor, _ b: Tensor) -> Double { (a - b).abs().max().item() }
    for shape in [[200, 16, 16], [150, 150]] as [TensorShape] {
      var random = RandomSource(seed: 1)
      let a = Tensor.normal(shape, .float64, using: &random)
      let n = shape.last!
      let identity = Tensor.identity(n, .float64).expanded(to: shape)
      #expect(distance(a.matmul(try a.inverse()), identity) < 1e-9)
      let (q, r) = a.qr()
      #expect(distance(q.matmul(r), a) < 1e-12)
      #expect(distance(q.transposed().matmul(q), identity) < 1e-12)
      let (u, s, vh) = try a.svd()
      #expect(distance((u * s.unsqueezed(axis: -2)).matmul(vh), a) < 1e-12)
      let symmetric = a.matmul(a.transposed()) + identity
      let (values, vectors) = try symmetric.eigh()
      #expect(distance(symmetric.matmul(vectors), vectors * values.unsqueezed(axis: -2)) < 1e-10)
      let l = try symmetric.cholesky()
      #expect(distance(l.matmul(l.transposed()), symmetric) < 1e-11)
      #expect(distance(symmetric.matmul(l.choleskySolve(a)), a) < 1e-8)
      #expect(
        distance(l.transposed().choleskySolve(a, upper: true), l.choleskySolve(a)) < 1e-8)
      #expect(distance(symmetric.logDeterminant(), values.log().sum(axes: [-1])) < 1e-8)
    }
  }

  @Test("an exponential of a rotation is a rotation, and of large and zero matrices too")
  func exponential() {
    let quarter = Tensor([[0, -Double.pi / 2], [Double.pi / 2, 0]] as [[Double]]).matrixExp()
      .doubles()
    for (a, b) in zip(quarter, [0, -1, 1, 0] as [Double]) { #expect(abs(a - b) < 1e-14) }
    #expect(Tensor.zeros([2, 2]).matrixExp().doubles() == [1, 0, 0, 1])
    let large = Tensor([[-30.0, 1], [0, -30]] as [[Double]]).matrixExp().doubles()
    #expect(abs(large[0] / 9.357622968840175e-14 - 1) < 1e-10)
    #expect(Tensor([[Double.nan]] as [[Double]] as [[Double]]).matrixExp().item().isNaN)
  }

  @Test("any layout, empty matrices and empty batches")
  func layouts() throws {
    let a = Tensor([[4.0, 1], [2, 3]] as [[Double]])
    #expect(try a.transposed().inverse().doubles() == a.inverse().transposed().doubles())
    #expect(try Tensor.zeros([0, 3, 3]).inverse().shape == [0, 3, 3])
    #expect(try Tensor.zeros([0, 0]).inverse().shape == [0, 0])
    #expect(Tensor.zeros([2, 0, 0]).determinant().doubles() == [1, 1])
    #expect(try Tensor.zeros([0, 4]).svd().vh.shape == [0, 4])
    #expect(Tensor.zeros([3, 0]).qr().q.shape == [3, 0])
    #expect(try Tensor.zeros([0, 0]).cholesky().shape == [0, 0])
    #expect(try Tensor.zeros([0, 2, 2]).eigh().values.shape == [0, 2])
    #expect(try a.matrixPower(0).doubles() == [1, 0, 0, 1])
    let stack = Tensor.stacked([
      a, Tensor([[1.0, 1], [1, 1]] as [[Double]]), Tensor.zeros([2, 2], .float64),
    ])
    #expect(try stack.matrixRank().array(of: Int32.self) == [2, 1, 0])
    #expect(try a.matrixRank().item() == 2)
  }

  @Test("a matrix without a result is a thrown error that names it")
  func errors() throws {
    let good = Tensor([[2.0, 1], [1, 2]] as [[Double]])
    let bad = Tensor([[1.0, 2], [2, 4]] as [[Double]])
    func message(_ body: () throws -> Tensor) -> String {
      do {
        _ = try body()
        return ""
      } catch { return "\(error)" }
    }
    #expect(message { try bad.solve(good) } == "solve: the matrix [2, 2] is singular")
    let batch = Tensor.stacked([good, good, bad])
    #expect(
      message { try batch.inverse() } == "inverse: matrix 2 of the batch [3, 2, 2] is singular")
    #expect(message { try bad.matrixPower(-1) } == "matrixPower: the matrix [2, 2] is singular")
    #expect(
      message { try (-good).cholesky() } == "cholesky: the matrix [2, 2] is not positive definite")
    let hole = Tensor([[1.0, .nan], [0, 1]] as [[Double]])
    #expect(message { try hole.svd().s } == "svd: the matrix [2, 2] contains NaN or infinity")
    #expect(
      message { try hole.eigh().values } == "eigh: the matrix [2, 2] contains NaN or infinity")
    #expect(bad.determinant().item() == 0)
    #expect(bad.logDeterminant().item() == -.infinity)
    #expect(Tensor([[0.0, 1], [1, 0]] as [[Double]]).logDeterminant().item().isNaN)
    do {
      _ = try batch.inverse()
    } catch { #expect(error.reason == .singular && error.matrix == 2) }
  }

  @Test("shapes that do not fit stop with the operation and the shapes")
  func shapes() async {
    func message(_ result: ExitTest.Result?) -> String {
      String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }
    let square = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Tensor.zeros([2, 3]).inverse()
    }
    #expect(message(square).contains("inverse: square matrices are needed, not shape [2, 3]"))
    let rows = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Tensor.identity(3).solve(Tensor.zeros([2, 1]))
    }
    #expect(message(rows).contains("solve: matrices [3, 3] and right sides [2, 1]"))
    let vector = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([3]).qr()
    }
    #expect(message(vector).contains("qr: a matrix or a batch of them is needed, not shape [3]"))
  }
}
