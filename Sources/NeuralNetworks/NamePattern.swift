import Base
package import Settings

/// A shell pattern over the names of a model's parameters, such as `features.*`: `*` stands for any
/// text, `?` for one character.
///
/// The name of a module fits all of its parameters, as `features.*` does.
package struct NamePattern: Sendable, Equatable {
  /// The pattern as it was written.
  package let text: String
  private let characters: [Character]

  /// A pattern by its text.
  package init(_ text: String) {
    self.text = text
    characters = Array(text)
  }

  /// Whether the name of a parameter, or of a module around it, fits.
  package func fits(_ name: String) -> Bool {
    let name = Array(name)
    return fits(name[...])
      || name.indices.contains { name[$0] == "." && fits(name[..<$0]) }
  }

  /// Compares from left to right; a mismatch returns to the last `*`, which then takes one more.
  private func fits(_ name: ArraySlice<Character>) -> Bool {
    var (place, position) = (0, name.startIndex)
    var star: (place: Int, position: Int)?
    while position < name.endIndex {
      if place < characters.count, characters[place] == "*" {
        star = (place, position)
        place += 1
      } else if place < characters.count,
        characters[place] == "?" || characters[place] == name[position]
      {
        place += 1
        position += 1
      } else if let last = star {
        star = (last.place, last.position + 1)
        (place, position) = (last.place + 1, last.position + 1)
      } else {
        return false
      }
    }
    return characters[place...].allSatisfy { $0 == "*" }
  }

  /// Throws an error of a setting if none of the names fits; the error has the nearest ones.
  package func requireFit(
    among names: [String], setting: String
  ) throws(SettingError) {
    if names.contains(where: fits) { return }
    let word = text.filter { $0 != "*" && $0 != "?" }.prefix(100)
      .trimmingPrefix(".").lowercased()
    let stem = word.hasSuffix(".") ? String(word.dropLast()) : String(word)
    let near = NamePattern.modulesAndParameters(names)
      .map { (distance: editDistance(stem, $0.lowercased()), name: $0) }
      .enumerated().sorted { ($0.element.distance, $0.offset) < ($1.element.distance, $1.offset) }
      .prefix(4).map(\.element.name)
    throw SettingError(
      setting,
      "has '\(text.prefix(100))', which fits no parameter of the model; names that are "
        + "near: \(near.joined(separator: ", "))")
  }

  /// The names of parameters and of the modules around them, each once.
  private static func modulesAndParameters(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.flatMap { name in
      name.indices.filter { name[$0] == "." }.map { String(name[..<$0]) } + [name]
    }.filter { seen.insert($0).inserted }
  }
}
