/// The parts of Hugging Face's `tokenizer.json` that are read.
struct TokenizerFile: Decodable {
  let normalizer: Named?
  let preTokenizer: PreTokenizer?
  let addedTokens: [Added]?
  let model: Model

  private enum CodingKeys: String, CodingKey {
    case normalizer
    case preTokenizer = "pre_tokenizer"
    case addedTokens = "added_tokens"
    case model
  }

  struct Named: Decodable {
    let type: String?
  }

  /// How a text is split before bytes are merged; a sequence has steps.
  struct PreTokenizer: Decodable {
    let type: String?
    let steps: [PreTokenizer]?
    let pattern: Pattern?
    let behavior: String?
    let isInverted: Bool?
    let addsPrefixSpace: Bool?
    let usesExpression: Bool?

    private enum CodingKeys: String, CodingKey {
      case type
      case steps = "pretokenizers"
      case pattern
      case behavior
      case isInverted = "invert"
      case addsPrefixSpace = "add_prefix_space"
      case usesExpression = "use_regex"
    }
  }

  struct Pattern: Decodable {
    let expression: String?
    let text: String?

    private enum CodingKeys: String, CodingKey {
      case expression = "Regex"
      case text = "String"
    }
  }

  struct Model: Decodable {
    let type: String?
    let dropout: Double?
    let unknownToken: String?
    let continuingSubwordPrefix: String?
    let endOfWordSuffix: String?
    let byteFallback: Bool?
    let ignoresMerges: Bool?
    let vocabulary: [String: Int]?
    let merges: [Pair]?

    private enum CodingKeys: String, CodingKey {
      case type
      case dropout
      case unknownToken = "unk_token"
      case continuingSubwordPrefix = "continuing_subword_prefix"
      case endOfWordSuffix = "end_of_word_suffix"
      case byteFallback = "byte_fallback"
      case ignoresMerges = "ignore_merges"
      case vocabulary = "vocab"
      case merges
    }
  }

  /// A pair of tokens, in one text or in a list.
  struct Pair: Decodable {
    let tokens: [String]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = try? container.decode(String.self) {
        tokens = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      } else {
        tokens = try container.decode([String].self)
      }
    }
  }

  struct Added: Decodable {
    let id: Int
    let content: String
    let isSingleWord: Bool?
    let stripsLeft: Bool?
    let stripsRight: Bool?
    let isNormalized: Bool?
    let isSpecial: Bool?

    private enum CodingKeys: String, CodingKey {
      case id
      case content
      case isSingleWord = "single_word"
      case stripsLeft = "lstrip"
      case stripsRight = "rstrip"
      case isNormalized = "normalized"
      case isSpecial = "special"
    }
  }
}
