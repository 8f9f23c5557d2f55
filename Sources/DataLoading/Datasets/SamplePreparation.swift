/// How the samples of a data set were made from files, and what targets mean: a checkpoint keeps it,
/// so that a trained model can be applied to other files.
public struct SamplePreparation: Sendable, Equatable {
  /// How inputs were normalized, if they were.
  public var standardization: Standardization?
  /// The mean and standard deviation of each value to predict; nil if there are none.
  public var targetStandardization: Standardization?
  /// The classes; nil unless targets are classes.
  public var classes: Classes?
  /// The columns of a table; nil unless samples are the rows of one.
  public var table: TableSchema?
  /// How an image file of any size becomes an input; nil unless samples are images.
  public var images: ImagePreparation?
  /// How text becomes tokens; nil unless samples are text, or tokens whose tokenizer is known.
  public var tokenizer: Tokenizer?

  /// Nothing is known but what is given.
  public init(
    standardization: Standardization? = nil, targetStandardization: Standardization? = nil,
    classes: Classes? = nil, table: TableSchema? = nil, images: ImagePreparation? = nil,
    tokenizer: Tokenizer? = nil
  ) {
    self.standardization = standardization
    self.targetStandardization = targetStandardization
    self.classes = classes
    self.table = table
    self.images = images
    self.tokenizer = tokenizer
  }
}

/// The classes of a data set.
public struct Classes: Sendable, Equatable {
  /// The number of classes; labels are `0..<count`.
  public let count: Int
  /// What the files call them, in the order of the labels; nil if they use the labels.
  public let names: [String]?

  /// Classes whose names are the labels.
  public init(count: Int) { (self.count, names) = (count, nil) }

  /// Classes with these names.
  public init(names: [String]) { (count, self.names) = (names.count, names) }

  /// The name of a class.
  public func name(_ label: Int) -> String { names?[label] ?? String(label) }
}
