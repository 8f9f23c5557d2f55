import Collectives
import Testing

@Suite("LauncherEnvironment")
struct LauncherEnvironmentTests {
  @Test("No launcher without its variables")
  func nothing() {
    #expect(LauncherEnvironment([:]) == nil)
    #expect(LauncherEnvironment(["PATH": "/bin", "OMPI_COMM_WORLD_SIZE": "four"]) == nil)
  }

  @Test("mpirun tells everything")
  func mpirun() {
    let launch = LauncherEnvironment([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "PMIX_RANK": "3",
    ])
    #expect(launch?.launcher == .mpirun)
    #expect(launch?.rank == 3)
    #expect(launch?.worldSize == 4)
  }

  @Test("mpirun within a Slurm job is mpirun")
  func mpirunInSlurm() {
    let launch = LauncherEnvironment([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "SLURM_STEP_ID": "0",
      "SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2",
    ])
    #expect(launch?.launcher == .mpirun)
    #expect(launch?.worldSize == 4)
    #expect(launch?.rank == 1)
  }

  @Test("A step of srun", arguments: ["none", "pmix", "pmi2"])
  func srun(plugin: String) {
    var variables = [
      "SLURM_STEP_ID": "2", "SLURM_PROCID": "5", "SLURM_NTASKS": "16",
      "SLURM_STEP_NUM_TASKS": "8",
    ]
    if plugin == "pmix" { variables["PMIX_RANK"] = "5" }
    if plugin == "pmi2" {
      variables["PMI_RANK"] = "5"
      variables["PMI_SIZE"] = "8"
    }
    let launch = LauncherEnvironment(variables)
    #expect(launch?.launcher == .srun)
    #expect(launch?.rank == 5)
    #expect(launch?.worldSize == 8)
  }

  @Test(
    "A shell within a Slurm job is no launch",
    arguments: [nil, "4294967290", "4294967291", "4294967292"])
  func slurmShell(step: String?) {
    var variables = ["SLURM_JOB_ID": "17", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"]
    variables["SLURM_STEP_ID"] = step
    #expect(LauncherEnvironment(variables) == nil)
  }

  @Test("A job of flux run, with its own PMI or with PMIx", arguments: [true, false])
  func flux(ownPMI: Bool) throws {
    var variables = ["FLUX_JOB_ID": "f2Ug", "FLUX_JOB_SIZE": "8", "FLUX_TASK_RANK": "5"]
    if ownPMI {
      variables["PMI_RANK"] = "5"
      variables["PMI_SIZE"] = "8"
    } else {
      variables["PMIX_RANK"] = "5"
    }
    let launch = try #require(LauncherEnvironment(variables))
    #expect(launch.launcher == .flux)
    #expect(launch.rank == 5)
    #expect(launch.worldSize == 8)
    let alone = #expect(throws: LaunchError.self) {
      try launch.check(worldSize: 1, library: "Open MPI v5")
    }
    #expect(alone?.description.contains("flux run -o pmi=pmix") == true)
  }

  @Test("mpirun within a job of flux run is mpirun")
  func mpirunInFlux() {
    let launch = LauncherEnvironment([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "FLUX_JOB_SIZE": "1",
      "FLUX_TASK_RANK": "0",
    ])
    #expect(launch?.launcher == .mpirun)
    #expect(launch?.worldSize == 4)
  }

  @Test("Another MPI's mpiexec, also when srun started its daemons")
  func mpiexec() {
    let launch = LauncherEnvironment([
      "PMI_SIZE": "6", "PMI_RANK": "2", "SLURM_STEP_ID": "0", "SLURM_PROCID": "1",
      "SLURM_STEP_NUM_TASKS": "2",
    ])
    #expect(launch?.launcher == .mpiexec)
    #expect(launch?.rank == 2)
    #expect(launch?.worldSize == 6)
  }

  @Test("A bare PMIx launcher does not tell the size, so that any size is right")
  func pmix() throws {
    let launch = try #require(LauncherEnvironment(["PMIX_RANK": "1"]))
    #expect(launch.launcher == .pmix)
    #expect(launch.rank == 1)
    #expect(launch.worldSize == nil)
    try launch.check(worldSize: 3, library: "Open MPI v4")
  }

  @Test(
    "The remedy fits the library and the launcher",
    arguments: [
      (
        ["OMPI_COMM_WORLD_SIZE": "4"], "MPICH 4.0.2",
        "Open MPI's; start with the mpiexec of MPICH 4.0.2"
      ),
      (["OMPI_COMM_WORLD_SIZE": "4"], "Open MPI v4", "start with the mpirun that belongs"),
      (["PMI_SIZE": "4", "PMI_RANK": "0"], "MPICH 4.0.2", "start with the mpiexec that belongs"),
      (["PMI_SIZE": "4", "PMI_RANK": "0"], "Open MPI v4", "start with Open MPI's mpirun"),
      (
        ["SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"], "MPICH 4.0.2",
        "srun --mpi=pmi2"
      ),
      (
        ["SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"], "Open MPI v4",
        "srun --mpi=pmix"
      ),
    ] as [([String: String], String, String)])
  func remedies(variables: [String: String], library: String, remedy: String) throws {
    let launch = try #require(LauncherEnvironment(variables))
    let error = #expect(throws: LaunchError.self) {
      try launch.check(worldSize: 1, library: library)
    }
    #expect(error?.description.contains(remedy) == true)
  }

  @Test("A broken promise says what happened, why, and what to do")
  func brokenPromise() throws {
    let launch = try #require(
      LauncherEnvironment(["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"]))
    try launch.check(worldSize: 4, library: "Open MPI v4")
    let alone = #expect(throws: LaunchError.self) {
      try launch.check(worldSize: 1, library: "Open MPI v4")
    }
    let lines = alone?.description.split(separator: "\n") ?? []
    #expect(
      lines.first?.hasPrefix(
        "this job started 4 separate one-process runs instead of one 4-process run") == true)
    #expect(lines.count == 3)
    #expect(lines.last?.hasPrefix("fix: ") == true)

    let other = #expect(throws: LaunchError.self) {
      try launch.check(worldSize: 2, library: "Open MPI v4")
    }
    #expect(
      other?.description.hasPrefix("mpirun promised 4 ranks, but MPI (Open MPI v4) sees 2") == true)
  }
}
