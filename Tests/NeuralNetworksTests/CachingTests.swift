import NeuralNetworks
import TensorCore
import Testing

@Suite("Caches of keys and values") struct CachingTests {
  private static let models: [(String, @Sendable () -> any CachingLanguageModel)] = [
    (
      "gpt",
      { GPT(GPT.Options(vocabulary: 7, context: 9, layers: 2, heads: 2, width: 8)) }
    ),
    (
      "llama",
      {
        Llama(
          Llama.Options(
            vocabulary: 7, context: 9, layers: 2, heads: 4, keyValueHeads: 2, width: 16))
      }
    ),
  ]

  @Test("parts of a sequence give the logits of the whole", arguments: ["gpt", "llama"])
  func parts(_ name: String) {
    let make = Self.models.first { $0.0 == name }!.1
    let model = withRandomSource(seed: 1) { make() }
    let tokens = Tensor([[1, 2, 3, 4, 5, 6, 0, 2], [3, 3, 1, 0, 2, 5, 6, 1]] as [[Int32]])
    withEvaluation {
      withoutGrad {
        let whole = model(tokens)
        let cache = KeyValueCache()
        // A prompt, single tokens, and several tokens behind others.
        for range in [0..<3, 3..<4, 4..<5, 5..<8] {
          #expect(cache.length == range.lowerBound)
          let part = model(tokens.sliced(range, axis: 1), cache: cache)
          let difference = (part - whole.sliced(range, axis: 1)).abs().max().item()
          #expect(difference < 1e-5, "\(range)")
        }
      }
    }
  }

  @Test("a sequence longer than the context stops")
  func tooLong() async {
    await #expect(processExitsWith: .failure) {
      let model = GPT(GPT.Options(vocabulary: 7, context: 3, layers: 1, heads: 1, width: 4))
      let cache = KeyValueCache()
      _ = model(.zeros([1, 2], .int32), cache: cache)
      _ = model(.zeros([1, 2], .int32), cache: cache)
    }
  }
}
