/// A table that scrolls sideways where it is wider than the page.
struct Table {
  /// A column.
  struct Column {
    let title: String
    var isNumber = false
  }

  let columns: [Column]
  private(set) var rows = HTML()

  init(_ columns: [Column]) { self.columns = columns }

  /// A table with these titles, of which some are of columns of numbers.
  init(_ titles: [String], numbers: Set<Int> = []) {
    self.init(
      titles.enumerated().map { Column(title: $0.element, isNumber: numbers.contains($0.offset)) })
  }

  mutating func add(_ cells: [HTML], best: Set<Int> = []) {
    let row = cells.enumerated().markup { index, cell in
      let classes =
        (index < columns.count && columns[index].isNumber ? ["number"] : [])
        + (best.contains(index) ? ["best"] : [])
      return classes.isEmpty
        ? "<td>\(cell)</td>" : "<td class=\"\(classes.joined(separator: " "))\">\(cell)</td>"
    }
    rows += "<tr>\(row)</tr>\n"
  }

  var markup: HTML {
    let head = columns.markup {
      "<th scope=\"col\"\($0.isNumber ? " class=\"number\"" : HTML())>\($0.title)</th>"
    }
    return """
      <div class="table"><table><thead><tr>\(head)</tr></thead><tbody>
      \(rows)</tbody></table></div>
      """
  }

  /// Names with their values, in two columns.
  static func pairs(_ pairs: [(name: String, value: String)]) -> HTML {
    let rows = pairs.markup { "<tr><td class=\"name\">\($0.name)</td><td>\($0.value)</td></tr>\n" }
    return "<div class=\"table\"><table><tbody>\n\(rows)</tbody></table></div>"
  }
}
