import DataLoading
import Foundation
public import NeuralNetworks
public import TensorCore

/// A trained character-level language model that continues texts.
public final class TextGenerator {
  private let model: any Layer
  private let codec: CharacterCodec
  private let context: Int
  private let precision: Precision

  /// A trained language model; nil if its signature has no characters.
  public init?(
    _ model: any Layer, _ signature: ModelSignature, precision: Precision = .float32
  ) {
    guard let codec = signature.preparation.codec else { return nil }
    (self.model, self.codec, self.precision) = (model, codec, precision)
    context = signature.inputShape[0]
  }

  /// Continues `prompt` by `count` characters, sampled one after another from the model's
  /// predictions.
  ///
  /// - Parameters:
  ///   - prompt: The text to continue; its characters must occur in the training text.
  ///   - count: How many characters to add.
  ///   - temperature: Below 1 prefers likely characters; 0 always takes the likeliest.
  ///   - seed: The random seed.
  public func text(after prompt: String, count: Int, temperature: Double, seed: UInt64) throws
    -> String
  {
    var tokens = try codec.encode(prompt.isEmpty ? String(codec.characters[0]) : prompt)
    let start = prompt.isEmpty ? tokens.count : 0
    var random = RandomSource(seed: seed)
    withEvaluation {
      withoutGrad {
        for _ in 0..<count {
          let window = Array(tokens.suffix(context))
          let logits = precision { model(Tensor([window])) }[0][-1].converted(to: .float32)
          tokens.append(next(logits, temperature, &random))
        }
      }
    }
    return codec.decode(Array(tokens[start...]))
  }

  private func next(
    _ logits: Tensor, _ temperature: Double, _ random: inout RandomSource
  ) -> Int32 {
    guard temperature > 0 else { return Int32(logits.argmax().item()) }
    let probabilities = (logits / temperature).softmax().array(of: Float.self)
    var rest = Float(Tensor.uniform([1], using: &random).item())
    for (token, probability) in probabilities.enumerated() {
      rest -= probability
      if rest < 0 { return Int32(token) }
    }
    return Int32(probabilities.count - 1)
  }
}
