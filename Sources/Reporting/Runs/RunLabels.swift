import Configuration

/// Short names that tell several runs apart.
package enum RunLabels {
  /// A label for each run: its name where names differ, else what was set differently.
  package static func labels(of runs: [RunHistory]) -> [String] {
    guard runs.count > 1 else { return runs.map(\.name) }
    let paths = differingPaths(of: runs).filter { $0 != "name" }.prefix(3)
    let hasOneName = Set(runs.map(\.name)).count == 1
    let labels = runs.map { run in
      let values = paths.map { path in
        let key = path.split(separator: ".").last.map(String.init) ?? path
        return "\(key) \(run.setting(path)?.prefix(24) ?? "?")"
      }.joined(separator: ", ")
      if hasOneName { return values.isEmpty ? run.id : values }
      return run.name
    }
    return zip(labels, runs).map { label, run in
      labels.count { $0 == label } > 1 ? "\(label) (\(run.id.suffix(4)))" : label
    }
  }

  /// The keys in which the configurations of runs differ, in their order.
  package static func differingPaths(of runs: [RunHistory]) -> [String] {
    ConfigurationKey.all.map(\.path).filter { path in
      let values = runs.map { $0.setting(path) }
      return values.contains { $0 != values[0] }
    }
  }
}
