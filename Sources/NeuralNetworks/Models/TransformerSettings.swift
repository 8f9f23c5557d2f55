import Settings

// The settings that several transformers have.

extension Setting<Int> {
  /// The number of blocks.
  static var blocks: Setting {
    Setting(
      wrappedValue: 4, "number of transformer blocks", in: 1...1024, oldNames: ["layers"])
  }

  /// The number of heads.
  static var heads: Setting {
    Setting(wrappedValue: 4, "attention heads of each block", in: 1...1024)
  }

  /// The channels of each position.
  static var width: Setting {
    Setting(wrappedValue: 128, "width of the residual stream", in: 1...(1 << 20), unit: "units")
  }
}

extension Setting<Bool> {
  /// Whether blocks are computed again in the backward pass.
  static var checkpointing: Setting {
    Setting(
      wrappedValue: false,
      "whether blocks are computed again in the backward pass, which saves memory and takes time")
  }
}

/// Throws for a width that heads cannot share.
func checkHeads(_ heads: Int, width: Int) throws(SettingError) {
  guard !width.isMultiple(of: heads) else { return }
  throw SettingError("width", "is \(width), which does not divide into \(heads) heads ('heads')")
}
