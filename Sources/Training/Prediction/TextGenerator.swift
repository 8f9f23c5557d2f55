import Base
import DataLoading
public import NeuralNetworks
public import TensorCore

/// A trained language model that continues texts.
public final class TextGenerator {
  private let model: any Layer
  private let tokenizer: Tokenizer
  private let context: Int
  private let precision: Precision

  /// A trained language model; nil if its signature has no tokenizer.
  public init?(
    _ model: any Layer, _ signature: ModelSignature, precision: Precision = .float32
  ) {
    guard let tokenizer = signature.preparation.tokenizer else { return nil }
    (self.model, self.tokenizer, self.precision) = (model, tokenizer, precision)
    context = signature.inputShape[0]
  }

  /// Gives `prompt` and continues it by `count` tokens, sampled one after another from the model's predictions.
  ///
  /// Without a prompt the text begins as a document does: after the token for the end of a text, or
  /// after the first character where characters are the tokens.
  ///
  /// Throws a `DataError` for a prompt with a character that is no token.
  ///
  /// - Parameters:
  ///   - prompt: The text to continue.
  ///   - count: How many tokens to add at most.
  ///   - sampling: How the next token is chosen.
  ///   - seed: The random seed.
  ///   - stopsAtEndOfText: Whether the text ends where the model ends a document.
  ///   - onText: Called with the prompt, and with each part of the text when its last character is
  ///     complete.
  public func generate(
    after prompt: String, count: Int, _ sampling: TokenSampling = TokenSampling(), seed: UInt64,
    stopsAtEndOfText: Bool = true, onText: (String) -> Void
  ) throws {
    var tokens = prompt.isEmpty ? [tokenizer.endOfText ?? 0] : try tokenizer.encode(prompt)
    if !prompt.isEmpty { onText(prompt) }
    var random = RandomSource(seed: seed)
    var stream = UTF8Stream()
    let cache = KeyValueCache()
    withEvaluation {
      withoutGrad {
        for _ in 0..<count {
          Activity.advance()
          let outputs = predictions(after: tokens, cache).converted(to: .float32)
          // A model may have more outputs than there are tokens.
          let logits = outputs[0..<tokenizer.vocabularySize]
          let token = sampling.next(logits, &random)
          if stopsAtEndOfText, token == tokenizer.endOfText { break }
          tokens.append(token)
          let text = stream.append(tokenizer.bytes(of: token))
          if !text.isEmpty { onText(text) }
        }
      }
    }
    let text = stream.finish()
    if !text.isEmpty { onText(text) }
  }

  /// The model's outputs for the last of these tokens, of which the cache has seen some.
  private func predictions(after tokens: [Int32], _ cache: KeyValueCache) -> Tensor {
    let outputs: Tensor = precision {
      guard let model = model as? any CachingLanguageModel, tokens.count <= context else {
        // Behind the context all positions move, so that nothing can be used again.
        return model(Tensor([Array(tokens.suffix(context))]))
      }
      return model(Tensor([Array(tokens[cache.length...])]), cache: cache)
    }
    return outputs[0][-1]
  }

  /// The text that `generate` gives, with the prompt.
  public func text(
    after prompt: String, count: Int, _ sampling: TokenSampling = TokenSampling(), seed: UInt64,
    stopsAtEndOfText: Bool = true
  ) throws -> String {
    var text = ""
    try generate(
      after: prompt, count: count, sampling, seed: seed, stopsAtEndOfText: stopsAtEndOfText
    ) { text += $0 }
    return text
  }
}
