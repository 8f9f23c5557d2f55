/// The columns of a table that a model takes, and how they become numbers.
///
/// A column of numbers is one input. A column of texts is one input for each of its categories: 1 for
/// the row's own, 0 for the others.
public struct TableSchema: Sendable, Equatable, Codable {
  /// A column of inputs.
  public struct Column: Sendable, Equatable, Codable {
    /// The name in the header; nil if there is none.
    public var name: String?
    /// The place in the training file, from 0.
    public var position: Int
    /// The categories, sorted; nil for a column of numbers.
    public var categories: [String]?
    /// What replaces a missing number; nil refuses a missing one.
    public var fill: Float?
    /// What replaces a missing category; nil refuses a missing one.
    public var fillCategory: String?

    /// The number of inputs.
    public var width: Int { categories?.count ?? 1 }

    /// The name in the header, or the number from 1.
    var label: String { name.map { "'\($0)'" } ?? "\(position + 1)" }
  }

  /// The columns of inputs, in the order of the inputs.
  public var columns: [Column]
  /// The number of columns of the training file, the target's and ignored ones included.
  public var columnCount: Int

  /// The number of inputs.
  public var width: Int { columns.reduce(0) { $0 + $1.width } }

  /// The inputs that are parts of a category.
  var categoricalInputs: Set<Int> {
    var inputs: Set<Int> = []
    var first = 0
    for column in columns {
      if column.categories != nil { inputs.formUnion(first..<first + column.width) }
      first += column.width
    }
    return inputs
  }

  /// Whether columns that were read from a file fit together.
  package var isConsistent: Bool {
    !columns.isEmpty && columnCount >= columns.count
      && columns.allSatisfy { column in
        let categories = column.categories ?? []
        return (0..<columnCount).contains(column.position) && column.categories?.isEmpty != true
          && Set(categories).count == categories.count && (column.fill?.isFinite ?? true)
          && column.fillCategory.map(categories.contains) ?? true
      }
  }
}
