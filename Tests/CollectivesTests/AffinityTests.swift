import Collectives
import Testing

@Suite("Affinity")
struct AffinityTests {
  @Test("This process has at least one core")
  func current() {
    #expect(!Affinity.current.cores.isEmpty)
    #expect(Affinity.current.cores == Affinity.current.cores.sorted())
  }

  @Test(
    "The kernel's lists are read",
    arguments: [
      ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,8,10-11", [0, 1, 8, 10, 11]), ("3,1", [1, 3]),
    ])
  func lists(text: String, cores: [Int]) {
    #expect(Affinity(list: text)?.cores == cores)
  }

  @Test("Lists are written as the kernel writes them", arguments: ["0", "0-3", "0-1,8,10-11", ""])
  func writtenLists(list: String) {
    let affinity = Affinity(list: list) ?? Affinity(cores: [])
    #expect(affinity.list == list)
  }

  @Test("What is no list is refused", arguments: ["", "a", "1-", "-1", "3-1", "1,,2", "1-2-3"])
  func badLists(text: String) {
    #expect(Affinity(list: text) == nil)
  }

  @Test(
    "Cores are shared among the ranks that may use them",
    arguments: [
      ([0..<8], [8]),
      ([0..<8, 0..<8], [4, 4]),
      ([0..<4, 4..<8], [4, 4]),
      ([0..<1, 0..<1, 0..<1], [1, 1, 1]),
      ([0..<14, 0..<14, 0..<14, 0..<14, 0..<14, 0..<14, 0..<14], [2, 2, 2, 2, 2, 2, 2]),
      ([0..<3, 0..<3], [1, 1]),
      ([0..<8, 4..<8], [6, 2]),
    ] as [([Range<Int>], [Int])])
  func threads(masks: [Range<Int>], expected: [Int]) {
    let affinities = masks.map { Affinity(cores: Array($0)) }
    let threads = masks.indices.map { Affinity.threads(ofRank: $0, masks: affinities) }
    #expect(threads == expected)
  }

  @Test("Ranks of one node learn each other's masks")
  func overRanks() throws {
    let threads = try withRanks(3) { communicator in
      communicator.findCPUBinding(
        Affinity(cores: communicator.rank == 0 ? [0, 1, 2] : [4, 5, 6, 7])
      ).threads
    }
    #expect(threads == [3, 2, 2])
  }

  @Test("Hardware threads of one core count once, whatever their numbers")
  func hardwareThreads() throws {
    // Cores 0, 1, 2 and 3, whose second threads are 4, 5, 6 and 7.
    try withFiles(
      Dictionary(
        uniqueKeysWithValues: (0..<8).map {
          (
            "sys/devices/system/cpu/cpu\($0)/topology/thread_siblings_list",
            "\($0 % 4),\($0 % 4 + 4)\n"
          )
        })
    ) { root in
      func cores(_ list: String) -> String? {
        Affinity(list: list)?.countingCoresOnce(root: root).list
      }
      #expect(cores("0-7") == "0-3")
      #expect(cores("0,4") == "0")
      #expect(cores("5-6") == "1-2")
      // Two ranks on the two threads of one core have one core in common.
      let masks = ["2", "6"].map { Affinity(list: $0)!.countingCoresOnce(root: root) }
      #expect(masks[0] == masks[1])
      #expect(Affinity.threads(ofRank: 0, masks: masks) == 1)
      // Without the files, the kernel's numbers count.
      #expect(cores("8-9") == "8-9")
    }
  }
}
