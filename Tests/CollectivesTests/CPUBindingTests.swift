import Collectives
import Testing

@Suite("CPUBinding")
struct CPUBindingTests {
  private func warnings(
    _ masks: [ClosedRange<Int>], of available: Int, threadsPerRank: Int? = nil,
    quotas: [[CPUQuota]] = [], launcher: LauncherEnvironment.Launcher? = .mpirun
  ) -> [String] {
    let node = CPUBinding.Node(
      host: "node01", masks: masks.map { Affinity(cores: Array($0)) },
      available: Affinity(cores: Array(0..<available)), quotas: quotas)
    return CPUBinding(nodes: [node], threads: 1)
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

  /// A quota that ranks share if its name is the same.
  private func quota(_ cores: Double, _ name: String = "job") -> CPUQuota {
    CPUQuota(cores: cores, group: "/sys/fs/cgroup/\(name)", identity: name)
  }

  @Test("A core each is all that a CPU quota leaves of a large computer")
  func narrowUnderQuota() {
    #expect(warnings([0...0, 1...1], of: 64, quotas: [[quota(2)], [quota(2)]]) == [])
    let text = warnings([0...0, 1...1], of: 64, quotas: [[quota(8)], [quota(8)]])
    #expect(text.first?.contains("leaves 6 of 8 idle; for 4 cores each") == true)
  }

  @Test("A CPU quota that is too small for its ranks is told, with what helps")
  func smallQuota() {
    #expect(
      warnings(
        [0...63, 0...63, 0...63], of: 64, quotas: [[quota(2.5)], [quota(2.5)], [quota(2.5)]]) == [
          "node01: a CPU quota of 2.5 cores (control group /sys/fs/cgroup/job) for 3 ranks: all stand still in "
            + "turn; start 2 or fewer, or raise the quota"
        ])
    #expect(
      warnings([0...63], of: 64, quotas: [[quota(0.5)]], launcher: nil).first?.hasSuffix(
        "for 1 rank: all stand still in turn; raise the quota") == true)
    // Containers of their own.
    #expect(
      warnings([0...63, 0...63], of: 64, quotas: [[quota(1, "a")], [quota(1, "b")]]) == [])
  }

  @Test("More threads than a CPU quota has time for are told")
  func threadsUnderQuota() {
    let quotas = [[quota(4)], [quota(4)]]
    #expect(warnings([0...63, 0...63], of: 64, threadsPerRank: 2, quotas: quotas) == [])
    #expect(
      warnings([0...63, 0...63], of: 64, threadsPerRank: 3, quotas: quotas) == [
        "node01: threadsPerRank 3 makes 6 threads with a CPU quota of 4 cores (control group "
          + "/sys/fs/cgroup/job); set it to 2, or leave it unset"
      ])
  }

  @Test("MPICH's launcher is told in its own words")
  func mpiexec() {
    #expect(
      warnings([0...7, 4...11], of: 12, launcher: .mpiexec).first?.hasSuffix(
        "mpiexec -n 2 -bind-to core:6 lockstep …") == true)
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
        "node01: ranks share some of their cores, such as 0-7 and 4-11, and slow each other down; for "
          + "cores of their own: mpirun -np 2 --map-by slot:PE=6 --bind-to core lockstep …"
      ])
    #expect(
      warnings([0...3, 4...7, 0...7], of: 8, launcher: .srun).first?.hasSuffix(
        "0-3 and 0-7, and slow each other down; for cores of their own: srun --cpu-bind=cores lockstep …"
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

  @Test("More threads than cores are told, when they were asked for")
  func threads() {
    #expect(
      warnings([0...7, 0...7], of: 8, threadsPerRank: 6) == [
        "node01: threadsPerRank 6 makes 12 threads on 8 cores; set it to 4, or leave "
          + "it unset"
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

  @Test("The same problem of several nodes is reported once, with the number of all ranks")
  func nodes() {
    let nodes = ["node01", "node02", "node03"].map {
      CPUBinding.Node(
        host: $0, masks: [Affinity(cores: [0])], available: Affinity(list: "0-3")!)
    }
    #expect(
      CPUBinding(nodes: nodes, threads: 1).warnings(launcher: .mpirun) == [
        "node01 and 2 more: mpirun gives 1 core to a rank and leaves 3 of 4 idle; for 4 cores each: "
          + "mpirun -np 3 --map-by slot:PE=4 --bind-to core lockstep …"
      ])
  }

  @Test("All ranks find the same node, each with its own threads")
  func overRanks() throws {
    let bindings = try withRanks(3) { communicator in
      communicator.findCPUBinding(
        Affinity(cores: communicator.rank == 0 ? [0, 1, 2] : [4, 5, 6, 7]))
    }
    #expect(bindings.map(\.threads) == [3, 2, 2])
    for binding in bindings {
      #expect(binding.nodes == bindings[0].nodes)
      #expect(binding.nodes.map { $0.masks.map(\.list) } == [["0-2", "4-7", "4-7"]])
    }
    let node = bindings[0].nodes[0]
    #expect(!node.host.isEmpty && !node.available.cores.isEmpty)
  }

  @Test("Ranks learn each other's quotas, and each gets its share of the tightest one")
  func quotasOverRanks() throws {
    let bindings = try withRanks(3) { communicator in
      // The first two are in a container of two cores; all are in a job of nine.
      let own = [quota(2, "container")]
      return communicator.findCPUBinding(
        Affinity(cores: Array(0..<64)),
        quotas: (communicator.rank < 2 ? own : []) + [quota(9)])
    }
    #expect(bindings.map(\.threads) == [1, 1, 3])
    #expect(bindings[0].nodes == bindings[2].nodes)
    #expect(bindings[0].nodes[0].quotas[1] == [quota(2, "container"), quota(9)])
    #expect(bindings[0].nodes[0].tightestQuota == quota(2, "container"))
  }
}
