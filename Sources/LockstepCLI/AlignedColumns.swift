/// The rows of a table as lines, in columns two spaces apart.
///
/// - Parameters:
///   - rows: The cells of each row.
///   - left: The columns of text, which begin at the left; numbers end at the right.
func alignedColumns(_ rows: [[String]], left: Range<Int> = 0..<1) -> [String] {
  alignedColumns(rows) { left.contains($0) }
}

/// The same, where the columns of text are any.
func alignedColumns(_ rows: [[String]], isLeft: (Int) -> Bool) -> [String] {
  let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
  return rows.map { row in
    let cells = row.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return isLeft(column) ? cell + padding : padding + cell
    }
    return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
  }
}
