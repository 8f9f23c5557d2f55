import Base

/// The path nearest to one that is unknown, unless all are far from it.
func nearestPath(to unknown: String, among paths: [String]) -> String? {
  let word = unknown.prefix(100).lowercased()
  let leaf = String(word.split(separator: ".").last ?? "")
  let ranked = paths.map { path -> (distance: Int, path: String) in
    let candidate = path.lowercased()
    let name = String(candidate.split(separator: ".").last ?? "")
    // A key in the wrong section is near too, but less so than the same mistake in the right one.
    return (min(editDistance(word, candidate), editDistance(leaf, name) + 1), path)
  }
  guard let best = ranked.min(by: { $0.distance < $1.distance }),
    best.distance <= max(2, leaf.count / 2)
  else { return nil }
  return best.path
}
