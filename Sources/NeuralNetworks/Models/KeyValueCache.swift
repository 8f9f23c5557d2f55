public import TensorCore

/// A language model that can continue a sequence without computing again what it has seen.
public protocol CachingLanguageModel: Layer {
  /// The length of the longest sequence.
  var context: Int { get }

  /// The logits `[B, T, vocabulary]` for int32 tokens `[B, T]` that follow those in the cache; adds them to
  /// it.
  func callAsFunction(_ tokens: Tensor, cache: KeyValueCache) -> Tensor
}

/// The keys and values of the positions that a transformer has seen, for each of its blocks.
///
///     let cache = KeyValueCache()
///     var logits = model(prompt, cache: cache)
///     logits = model(next, cache: cache)  // [B, 1]
public final class KeyValueCache {
  private var blocks: [(keys: Tensor, values: Tensor)] = []
  /// The number of positions that the model has seen.
  public private(set) var length = 0

  /// An empty cache.
  public init() {}

  /// Causal attention of the queries of new positions `[B, H, T, D]` to the keys and values of block
  /// `index` so far, and to these new ones.
  func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, block index: Int) -> Tensor {
    if index == blocks.count {
      require(length == 0, "KeyValueCache: it belongs to a model of \(blocks.count) blocks")
      blocks.append((k, v))
    } else {
      let old = blocks[index]
      blocks[index] = (
        .concatenated([old.keys, k], axis: 2), .concatenated([old.values, v], axis: 2)
      )
    }
    let (keys, values) = blocks[index]
    let (count, offset) = (q.shape[2], length)
    guard offset > 0, count > 1 else {
      return .scaledDotProductAttention(q, keys, values, causal: offset == 0)
    }
    let seen = withoutGrad {
      Tensor.arange(offset + count, .int32)
        .<= (Tensor.arange(count, .int32).unsqueezed(axis: 1) + offset)
    }
    return .scaledDotProductAttention(q, keys, values, mask: seen)
  }

  /// Counts positions that all blocks have seen.
  func advance(_ positions: Int) { length += positions }
}
