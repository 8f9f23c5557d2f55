/// Markup. Interpolated text is escaped, interpolated markup is not:
///
///     let name: String = "<b>"
///     let cell: HTML = "<td>\(name)</td>"   // <td>&lt;b&gt;</td>
package struct HTML: Sendable, Equatable {
  /// The markup.
  package private(set) var text: String

  /// Markup that is known to be safe.
  package init(markup: String) { text = markup }

  /// Text that may hold any character; a literal is taken for markup.
  package init(_ text: String) { self.text = HTML.escaped(text) }

  /// No markup.
  package init() { text = "" }

  package static func += (page: inout HTML, more: HTML) { page.text += more.text }
  package static func + (first: HTML, second: HTML) -> HTML {
    HTML(markup: first.text + second.text)
  }

  /// Whether there is nothing.
  package var isEmpty: Bool { text.isEmpty }

  /// Escapes what has a meaning in HTML, and drops characters that no document may hold.
  package static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      // Marks of direction could show a text in another order than it is read.
      case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": result += "\u{FFFD}"
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
        result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension HTML: ExpressibleByStringInterpolation {
  /// Puts markup together.
  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    /// Reserves nothing.
    package init(literalCapacity: Int, interpolationCount: Int) {}
    /// Markup of the program.
    package mutating func appendLiteral(_ literal: String) { text += literal }
    /// Markup.
    package mutating func appendInterpolation(_ markup: HTML) { text += markup.text }
    /// Text, escaped.
    package mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
    /// A number.
    package mutating func appendInterpolation(_ value: Int) { text += String(value) }
    /// A coordinate, with one digit.
    package mutating func appendInterpolation(_ value: Double) { text += Text.coordinate(value) }
  }

  /// Markup of the program.
  package init(stringLiteral value: String) { text = value }
  /// Markup of the program with values.
  package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }
}

extension Sequence {
  /// The markup of all elements, one after another.
  package func markup(_ body: (Element) throws -> HTML) rethrows -> HTML {
    try reduce(into: HTML()) { $0 += try body($1) }
  }
}
