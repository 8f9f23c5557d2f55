import DataLoading
import Foundation
import NeuralNetworks
import TensorCore

/// A trained language model that continues texts.
public final class TextGenerator {
  private let model: any Layer
  private let codec: CharacterCodec
  private let context: Int

  /// Loads the model of a checkpoint, which must have been trained on the characters of a text.
  public init(_ checkpoint: Checkpoint) throws {
    let signature = try checkpoint.signature()
    guard let codec = signature.codec else {
      throw ConfigurationError(
        "'\(checkpoint.path)' holds no model of the characters of a text (data.kind text), so it cannot continue one"
      )
    }
    self.codec = codec
    context = signature.inputShape[0]
    model = try checkpoint.model(signature)
  }

  /// Continues `prompt` by `count` characters, each drawn from what the model thinks comes next.
  ///
  /// - Parameters:
  ///   - prompt: The beginning; its characters must occur in the text that was learned.
  ///   - count: How many characters to add.
  ///   - temperature: Below 1 prefers the likely; 0 always takes the likeliest.
  ///   - seed: What the draws follow from.
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
          let logits = model(Tensor([window]))[0][-1]
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
