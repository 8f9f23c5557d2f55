import TensorCore

private let two = 2
private let half: Float = 0.5

private func changed(_ x: Tensor, by change: (inout Tensor) -> Void) -> Tensor {
  var y = x * 1.0
  change(&y)
  return y.exp()
}

/// The rows of arithmetic with `Int` and `Float`.
let scalarGradientCases: [GradientCase] = [
  GradientCase("+(Tensor, Int)", [3]) { $0[0].squared() + two },
  GradientCase("+(Int, Tensor)", [3]) { two + $0[0].squared() },
  GradientCase("-(Tensor, Int)", [3]) { $0[0].squared() - two },
  GradientCase("-(Int, Tensor)", [3]) { two - $0[0].squared() },
  GradientCase("*(Tensor, Int)", [3]) { $0[0].squared() * two },
  GradientCase("*(Int, Tensor)", [3]) { two * $0[0].squared() },
  GradientCase("/(Tensor, Int)", [3]) { $0[0].squared() / two },
  GradientCase("/(Int, Tensor)", [3], range: 0.5...2) { two / $0[0] },
  GradientCase("+(Tensor, Float)", [3]) { $0[0].squared() + half },
  GradientCase("+(Float, Tensor)", [3]) { half + $0[0].squared() },
  GradientCase("-(Tensor, Float)", [3]) { $0[0].squared() - half },
  GradientCase("-(Float, Tensor)", [3]) { half - $0[0].squared() },
  GradientCase("*(Tensor, Float)", [3]) { $0[0].squared() * half },
  GradientCase("*(Float, Tensor)", [3]) { half * $0[0].squared() },
  GradientCase("/(Tensor, Float)", [3]) { $0[0].squared() / half },
  GradientCase("/(Float, Tensor)", [3], range: 0.5...2) { half / $0[0] },
  GradientCase("+=(Tensor, Int)", [3]) { changed($0[0]) { $0 += two } },
  GradientCase("+=(Tensor, Float)", [3]) { changed($0[0]) { $0 += half } },
  GradientCase("-=(Tensor, Int)", [3]) { changed($0[0]) { $0 -= two } },
  GradientCase("-=(Tensor, Float)", [3]) { changed($0[0]) { $0 -= half } },
  GradientCase("*=(Tensor, Int)", [3]) { changed($0[0]) { $0 *= two } },
  GradientCase("*=(Tensor, Float)", [3]) { changed($0[0]) { $0 *= half } },
  GradientCase("/=(Tensor, Int)", [3]) { changed($0[0]) { $0 /= two } },
  GradientCase("/=(Tensor, Float)", [3]) { changed($0[0]) { $0 /= half } },
  GradientCase("where(Tensor, Tensor, Int)", [3]) { Tensor.where($0[0] .> 0, $0[0].exp(), two) },
  GradientCase("where(Tensor, Int, Tensor)", [3]) { Tensor.where($0[0] .> 0, two, $0[0].exp()) },
]
