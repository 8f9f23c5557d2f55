import TensorCore

/// How the next token is chosen from a model's predictions.
///
/// The steps and their order are those of Hugging Face's `generate` (`TemperatureLogitsWarper`,
/// `TopKLogitsWarper`, `TopPLogitsWarper` in `transformers/generation/logits_process.py`): logits are
/// divided by the temperature, then all but the likeliest tokens are left out, and the rest are drawn
/// by their probabilities.
public struct TokenSampling: Sendable {
  /// Below 1 prefers likely tokens; 0 always takes the likeliest.
  public var temperature: Double
  /// How many tokens may be drawn, the likeliest; nil is no limit.
  ///
  /// Tokens that are as likely as the last of them may be drawn too.
  public var topK: Int?
  /// The likeliest tokens that together have at least this probability may be drawn; 1 is no limit.
  ///
  /// Reference: Holtzman et al. 2020, arXiv:1904.09751.
  public var topP: Double

  /// Draws from all tokens by their probabilities.
  public init(temperature: Double = 1, topK: Int? = nil, topP: Double = 1) {
    precondition(
      temperature >= 0 && topK ?? 1 > 0 && topP > 0 && topP <= 1,
      "TokenSampling: temperature \(temperature), topK \(topK ?? 0), topP \(topP)")
    (self.temperature, self.topK, self.topP) = (temperature, topK, topP)
  }

  /// Chooses a token by the logits of all tokens `[tokens]`.
  func next(_ logits: Tensor, _ random: inout RandomSource) -> Int32 {
    guard temperature > 0 else { return Int32(logits.argmax().item()) }
    var probabilities = (logits / temperature).softmax().array(of: Float.self)
    limit(&probabilities)
    var rest = Float(Tensor.uniform([1], using: &random).item())
    var last = 0
    for (token, probability) in probabilities.enumerated() where probability > 0 {
      rest -= probability
      last = token
      if rest < 0 { break }
    }
    return Int32(last)
  }

  /// Sets the probabilities of the tokens that may not be drawn to 0, so that the others add up to 1.
  func limit(_ probabilities: inout [Float]) {
    if let topK, topK < probabilities.count {
      let least = probabilities.sorted(by: >)[topK - 1]
      for i in probabilities.indices where probabilities[i] < least { probabilities[i] = 0 }
      normalize(&probabilities)
    }
    if topP < 1 {
      // Of equally likely tokens the first comes first, so that all machines draw the same.
      let order = probabilities.indices.sorted {
        (probabilities[$1], $0) < (probabilities[$0], $1)
      }
      var before = 0.0
      for i in order {
        let probability = Double(probabilities[i])
        if before >= topP { probabilities[i] = 0 }
        before += probability
      }
      normalize(&probabilities)
    }
  }

  private func normalize(_ probabilities: inout [Float]) {
    let sum = probabilities.reduce(0) { $0 + Double($1) }
    for i in probabilities.indices { probabilities[i] = Float(Double(probabilities[i]) / sum) }
  }
}
