import Foundation

/// The control groups of Linux, of a container or a job, to which this process belongs.
package enum ControlGroups {
  /// The version of the interface, which decides the names of files.
  package enum Version: Sendable {
    /// A hierarchy for each controller.
    case one
    /// One hierarchy for all controllers.
    case two
  }

  /// A group, or one around it.
  package struct Group: Equatable, Sendable {
    /// Its folder.
    package let folder: String
    /// The interface of its files.
    package let version: Version
  }

  /// The groups of this process whose limits by a controller can count, innermost first.
  ///
  /// They are its own and those around it. Some may not exist.
  ///
  /// - Parameters:
  ///   - controller: The controller's name in version 1, such as `cpu`.
  ///   - root: The folder that has `proc` and `sys`; another one in tests.
  package static func ofThisProcess(controller: String, root: String = "/") -> [Group] {
    let root = root.hasSuffix("/") ? String(root.dropLast()) : root
    let mounts = (fileText("\(root)/proc/self/mountinfo") ?? "").split(separator: "\n")
      .compactMap { Mount(line: $0) }
    var groups: [Group] = []
    for line in (fileText("\(root)/proc/self/cgroup") ?? "").split(separator: "\n") {
      // "0::/path" in version 2; "4:memory:/path" in version 1.
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let version: Version
      let mount: Mount?
      if fields[1].isEmpty {
        version = .two
        mount = mounts.first { $0.type == "cgroup2" }
      } else if fields[1].split(separator: ",").contains(Substring(controller)) {
        version = .one
        mount = mounts.first { $0.type == "cgroup" && $0.options.contains(controller) }
      } else {
        continue
      }
      let usual = "/sys/fs/cgroup" + (version == .one ? "/\(controller)" : "")
      let top = root + (mount?.point ?? usual)
      groups += folders(String(fields[2]), mountedFrom: mount?.root ?? "/", at: top)
        .map { Group(folder: $0, version: version) }
    }
    return groups
  }

  /// A group's folder and those around it, up to the outermost one that can be seen.
  private static func folders(_ path: String, mountedFrom mountRoot: String, at top: String)
    -> [String]
  {
    var parts = path.split(separator: "/")
    let rootParts = mountRoot.split(separator: "/")
    // In a container the outermost folder may be its group, and the path that of the host.
    if parts.starts(with: rootParts) { parts.removeFirst(rootParts.count) }
    // A group beside those of this namespace.
    if parts.contains("..") { parts = [] }
    return (0...parts.count).reversed().map { count in
      top + parts[..<count].map { "/" + $0 }.joined()
    }
  }

  /// A mounted hierarchy.
  private struct Mount {
    /// The group that its outermost folder is.
    let root: String
    let point: String
    let type: String
    let options: [String]

    /// Reads a line of `/proc/self/mountinfo`; nil for what is no hierarchy of control groups.
    init?(line: Substring) {
      let fields = line.split(separator: " ").map {
        $0.replacingOccurrences(of: "\\040", with: " ")
      }
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3,
        fields[dash + 1].hasPrefix("cgroup")
      else { return nil }
      (root, point, type) = (fields[3], fields[4], fields[dash + 1])
      options = fields[dash + 3].split(separator: ",").map(String.init)
    }
  }
}
