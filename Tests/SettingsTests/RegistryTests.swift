import Settings
import Testing

private struct Entry: NamedEntry {
  let name: String
  var settings: any SettingsGroup { NoSettings() }
}

@Suite struct RegistryTests {
  @Test("a program's entries come last, and are known as its own")
  func added() {
    let registry = Registry([Entry(name: "one"), Entry(name: "two")])
    registry.add(Entry(name: "own"))
    #expect(registry.all.names == ["one", "two", "own"])
    #expect(registry.ownName == "own")
    #expect(registry.isBuiltIn("two") && !registry.isBuiltIn("own"))
    #expect(Registry([Entry(name: "one")]).ownName == nil)
  }

  @Test("an entry that comes too late, or whose name is taken or no word, stops the program")
  func refused() async {
    await #expect(processExitsWith: .failure) {
      let registry = Registry([Entry(name: "one")])
      _ = registry.all
      registry.add(Entry(name: "late"))
    }
    await #expect(processExitsWith: .failure) {
      Registry([Entry(name: "one")]).add(Entry(name: "one"))
    }
    await #expect(processExitsWith: .failure) {
      Registry([Entry(name: "one")]).add(Entry(name: "two words"))
    }
  }
}
