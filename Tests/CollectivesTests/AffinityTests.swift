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

  @Test("Ranks of one machine learn each other's masks")
  func overRanks() throws {
    let threads = try withRanks(3) { communicator in
      communicator.threadsPerRank(
        Affinity(cores: communicator.rank == 0 ? [0, 1, 2] : [4, 5, 6, 7]))
    }
    #expect(threads == [3, 2, 2])
  }
}

@Suite("CorePlacement")
struct CorePlacementTests {
  private func warnings(
    _ masks: [ClosedRange<Int>], of available: Int, threadsPerRank: Int? = nil,
    hardwareThreadsPerCore: Int = 1, launcher: LauncherEnvironment.Launcher? = .mpirun
  ) -> [String] {
    let machine = CorePlacement.Machine(
      host: "node01", masks: masks.map { Affinity(cores: Array($0)) },
      available: Affinity(cores: Array(0..<available)),
      hardwareThreadsPerCore: hardwareThreadsPerCore)
    return CorePlacement(machines: [machine], threads: 1)
      .warnings(threadsPerRank: threadsPerRank, launcher: launcher)
  }

  @Test(
    "Ranks that have their cores, or share all of them, are fine",
    arguments: [
      ([0...3, 0...3, 0...3, 0...3], 4), ([0...0, 1...1], 2), ([0...0, 1...1], 3),
      ([0...7, 8...15], 16), ([0...7, 8...15, 0...7], 16), ([0...3, 4...7], 16), ([0...15], 16),
    ] as [([ClosedRange<Int>], Int)])
  func fine(masks: [ClosedRange<Int>], available: Int) {
    #expect(warnings(masks, of: available) == [])
  }

  @Test("Open MPI's one core for each of two ranks is told, with the line that gives them more")
  func narrow() {
    #expect(
      warnings([0...0, 1...1], of: 16) == [
        "node01: mpirun gives 1 core to a rank and leaves 14 of 16 idle; for 8 cores each: "
          + "mpirun -np 2 --map-by slot:PE=8 --bind-to core lockstep …"
      ])
    #expect(warnings([0...0], of: 16).first?.contains("leaves 15 of 16 idle") == true)
    #expect(warnings([0...0], of: 16).first?.contains("mpirun -np 1 --map-by slot:PE=16") == true)
  }

  @Test("Hardware threads are not taken for cores")
  func hardwareThreads() {
    // Cores of two threads each, numbered as neighbours.
    let text = warnings([0...1, 2...3], of: 32, hardwareThreadsPerCore: 2)
    #expect(text.count == 1)
    #expect(text.first?.contains("leaves 14 of 16 idle; for 8 cores each") == true)
    #expect(text.first?.contains("slot:PE=8 ") == true)
    #expect(warnings([0...1, 2...3], of: 4, hardwareThreadsPerCore: 2) == [])
  }

  @Test("A core for each rank is what was asked for, unless mpirun chose it")
  func otherLaunchers() {
    #expect(warnings([0...0, 1...1], of: 16, launcher: .srun) == [])
    #expect(warnings([0...0], of: 16, launcher: nil) == [])
  }

  @Test("Cores that ranks share in part are told")
  func overlap() {
    #expect(
      warnings([0...7, 4...11], of: 12) == [
        "node01: ranks share some of their cores, such as 0-7 and 4-11, and disturb each other; for "
          + "cores of their own: mpirun -np 2 --map-by slot:PE=6 --bind-to core lockstep …"
      ])
    #expect(
      warnings([0...3, 4...7, 0...7], of: 8, launcher: .srun).first?.hasSuffix(
        "0-3 and 0-7, and disturb each other; for cores of their own: srun --cpu-bind=cores lockstep …"
      ) == true)
    #expect(
      warnings([0...1, 1...1, 1...2, 2...2], of: 3).first?.hasSuffix(
        "mpirun -np 4 --bind-to none lockstep …") == true)
  }

  @Test("More ranks than cores are told")
  func crowded() {
    #expect(
      warnings([0...1, 0...1, 0...1, 0...1], of: 2) == [
        "node01: 4 ranks share 2 cores and wait for each other; start 2 or fewer"
      ])
    #expect(
      warnings([0...0, 0...0, 1...3], of: 4, launcher: .srun) == [
        "node01: 2 ranks share 1 core and wait for each other; for cores of their own: "
          + "srun --cpu-bind=cores lockstep …"
      ])
    #expect(
      warnings([0...1, 0...1, 0...1, 0...1], of: 8).first?.hasSuffix(
        "mpirun -np 4 --map-by slot:PE=2 --bind-to core lockstep …") == true)
  }

  @Test("More threads than cores are told, when the configuration asks for them")
  func threads() {
    #expect(
      warnings([0...7, 0...7], of: 8, threadsPerRank: 6) == [
        "node01: distributed.threadsPerRank asks for 12 threads on 8 cores; set it to 4, "
          + "or to 0 for what fits"
      ])
    #expect(warnings([0...7, 0...7], of: 8, threadsPerRank: 4) == [])
    #expect(
      warnings([0...0, 1...4], of: 5, threadsPerRank: 2, launcher: .srun).first?
        .contains("2 threads on 1 core") == true)
    #expect(
      warnings([0...3], of: 4, threadsPerRank: 5, launcher: nil).first?.contains(
        "5 threads on 4 cores")
        == true)
  }

  @Test("With the line that gives ranks more cores, their threads may have room")
  func narrowWithThreads() {
    #expect(warnings([0...0, 1...1], of: 16, threadsPerRank: 8).count == 1)
    #expect(warnings([0...0, 1...1], of: 16, threadsPerRank: 9).count == 2)
  }

  @Test("The same problem of several machines is told once, with the number of all ranks")
  func machines() {
    let machines = ["node01", "node02", "node03"].map {
      CorePlacement.Machine(
        host: $0, masks: [Affinity(cores: [0])], available: Affinity(list: "0-3")!)
    }
    #expect(
      CorePlacement(machines: machines, threads: 1).warnings(launcher: .mpirun) == [
        "node01 and 2 more: mpirun gives 1 core to a rank and leaves 3 of 4 idle; for 4 cores each: "
          + "mpirun -np 3 --map-by slot:PE=4 --bind-to core lockstep …"
      ])
  }

  @Test("All ranks find the same machine, each with its own threads")
  func overRanks() throws {
    let placements = try withRanks(3) { communicator in
      communicator.findCorePlacement(
        Affinity(cores: communicator.rank == 0 ? [0, 1, 2] : [4, 5, 6, 7]))
    }
    #expect(placements.map(\.threads) == [3, 2, 2])
    for placement in placements {
      #expect(placement.machines == placements[0].machines)
      #expect(placement.machines.map { $0.masks.map(\.list) } == [["0-2", "4-7", "4-7"]])
    }
    let machine = placements[0].machines[0]
    #expect(!machine.host.isEmpty && !machine.available.cores.isEmpty)
    #expect(machine.hardwareThreadsPerCore >= 1)
  }
}
