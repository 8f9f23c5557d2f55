// swift-tools-version: 6.2
import PackageDescription

/// The MPI library by its name for pkg-config: `mpich`, or any other, in place of Open MPI.
let mpi = Context.environment["LOCKSTEP_MPI"] ?? "ompi-c"

let package = Package(
  name: "Lockstep",
  products: [
    .executable(name: "lockstep", targets: ["LockstepProgram"]),
    .executable(name: "lockstep-examples", targets: ["Examples"]),
    .executable(name: "data-parallel-example", targets: ["DataParallelExample"]),
    .library(name: "Lockstep", targets: ["Lockstep"]),
    .library(name: "LockstepTensors", targets: ["LockstepTensors"]),
    .library(name: "LockstepCLI", targets: ["LockstepCLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    // C and the system's libraries.
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CMPI", pkgConfig: mpi,
      providers: [.apt([mpi == "mpich" ? "libmpich-dev" : "libopenmpi-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .target(name: "CDigits", exclude: ["README.md"]),
    .target(name: "CSharedMemory"),

    // The layers, lowest first: a target imports only what stands above it here.
    .target(name: "TensorCore", dependencies: ["CKernels", "COpenBLAS"]),
    .target(name: "Base"),
    .target(name: "Settings", dependencies: ["Base"]),
    .target(name: "NeuralNetworks", dependencies: ["TensorCore", "Settings", "Base"]),
    .target(
      name: "Optimizers", dependencies: ["NeuralNetworks", "TensorCore", "Settings", "CKernels"]),
    .target(
      name: "DataLoading",
      dependencies: ["Settings", "Base", "CDigits", "CZlib", "CTurboJPEG", "CPNG"]),
    .target(name: "Collectives", dependencies: ["Settings", "Base", "CKernels"]),
    .target(
      name: "MPICollectives",
      dependencies: [
        "Collectives", "CMPI", "CSharedMemory", "Base",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "DataParallel",
      dependencies: [
        "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading", "Collectives", "Settings",
        "Base", "CKernels",
      ]),
    .target(
      name: "Checkpointing", dependencies: ["NeuralNetworks", "TensorCore", "Base", "CZlib"]),
    .target(
      name: "LockstepTensors",
      dependencies: ["Checkpointing", "Optimizers", "NeuralNetworks", "TensorCore", "Base"]),
    .target(
      name: "Training",
      dependencies: [
        "Checkpointing", "DataParallel", "Optimizers", "NeuralNetworks", "TensorCore",
        "DataLoading", "Collectives", "Settings", "Base",
      ]),
    .target(
      name: "Exporting",
      dependencies: [
        "Training", "Checkpointing", "NeuralNetworks", "TensorCore", "DataLoading", "Base",
      ]),
    .target(
      name: "Configuration",
      dependencies: [
        "Training", "Checkpointing", "DataParallel", "Optimizers", "NeuralNetworks", "TensorCore",
        "DataLoading", "Collectives", "Settings", "Base",
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Reporting",
      dependencies: [
        "Configuration", "Training", "Checkpointing", "NeuralNetworks", "TensorCore", "DataLoading",
        "Collectives", "Settings", "Base",
      ]),
    .target(
      name: "Benchmarking",
      dependencies: [
        "Checkpointing", "DataParallel", "Optimizers", "NeuralNetworks", "TensorCore",
        "Collectives", "Base", "CKernels",
      ]),
    .target(
      name: "Lockstep",
      dependencies: [
        "LockstepTensors", "DataParallel", "DataLoading", "Collectives", "MPICollectives",
      ]),
    .target(
      name: "LockstepCLI",
      dependencies: [
        "Lockstep", "Reporting", "Exporting", "Configuration", "Benchmarking", "Training",
        "Checkpointing", "DataParallel", "Optimizers", "NeuralNetworks", "TensorCore",
        "DataLoading", "Collectives",
        "MPICollectives", "Settings", "Base",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(name: "LockstepProgram", dependencies: ["LockstepCLI"]),

    // What a user's own program looks like.
    .executableTarget(name: "DataParallelExample", dependencies: ["Lockstep"]),

    // The systems of the teaching texts; see tutorial.md in Sources/Lockstep/Lockstep.docc.
    .executableTarget(
      name: "Examples",
      dependencies: [
        "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading", "Base",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Tests mirror Sources; what they share is in TestSupport.
    .target(
      name: "CThreadSanitizer", dependencies: ["CKernels"], path: "Tests/CThreadSanitizer"),
    .target(
      name: "TestSupport", dependencies: ["TensorCore", "CThreadSanitizer"],
      path: "Tests/TestSupport"),
    .testTarget(name: "BaseTests", dependencies: ["Base"]),
    .testTarget(name: "ArchitectureTests"),
    .testTarget(name: "SettingsTests", dependencies: ["Settings", "Base"]),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels"]),
    .testTarget(
      name: "TensorCoreTests", dependencies: ["TensorCore", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "NeuralNetworksTests",
      dependencies: ["NeuralNetworks", "TensorCore", "Settings", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "OptimizersTests",
      dependencies: ["Optimizers", "NeuralNetworks", "TensorCore", "Settings", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "DataLoadingTests",
      dependencies: ["DataLoading", "Settings", "Base", "CZlib", "CTurboJPEG", "CPNG"],
      resources: [.copy("Goldens")]),
    .testTarget(name: "CollectivesTests", dependencies: ["Collectives", "Settings", "Base"]),
    .testTarget(
      name: "MPICollectivesTests",
      dependencies: ["MPICollectives", "DataParallel", "TensorCore", "Collectives"]),
    .testTarget(
      name: "DataParallelTests",
      dependencies: [
        "DataParallel", "Collectives", "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading",
        "Settings", "Base",
      ]),
    .testTarget(
      name: "CheckpointingTests",
      dependencies: [
        "Checkpointing", "Collectives", "NeuralNetworks", "TensorCore", "Base", "TestSupport",
      ],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Configuration", "Checkpointing", "DataParallel", "Collectives", "DataLoading",
        "Optimizers", "NeuralNetworks", "TensorCore", "Settings", "Base", "TestSupport",
      ],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "ExportingTests",
      dependencies: [
        "Exporting", "Configuration", "Training", "Checkpointing", "DataLoading",
        "NeuralNetworks", "TensorCore", "Settings", "Base", "TestSupport",
      ]),
    .testTarget(
      name: "ConfigurationTests",
      dependencies: [
        "Configuration", "Training", "Checkpointing", "Collectives", "DataParallel", "DataLoading",
        "Optimizers", "NeuralNetworks", "Settings", "Base", "TestSupport",
      ],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "ReportingTests",
      dependencies: [
        "Reporting", "Configuration", "Training", "DataLoading", "Base", "TestSupport",
      ]),
    .testTarget(name: "LockstepCLITests", dependencies: ["LockstepCLI", "Base"]),
    .testTarget(
      name: "BenchmarkingTests",
      dependencies: [
        "Benchmarking", "Checkpointing", "DataParallel", "Collectives", "NeuralNetworks",
        "TensorCore", "Base", "TestSupport",
      ],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "LockstepTests",
      dependencies: ["Lockstep", "Optimizers", "NeuralNetworks", "TensorCore"]),
    .testTarget(
      name: "ExamplesTests",
      dependencies: ["Examples", "NeuralNetworks", "TensorCore", "TestSupport"],
      resources: [.copy("Goldens")]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c2x,
  cxxLanguageStandard: .cxx20
)

for target in package.targets where target.type != .system {
  let isC = target.name.hasPrefix("C") && target.name.dropFirst().first!.isUppercase
  if isC && target.type != .test {
    target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
    target.cxxSettings = (target.cxxSettings ?? []) + [.treatAllWarnings(as: .error)]
  } else {
    target.swiftSettings = [
      .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
      .enableUpcomingFeature("InternalImportsByDefault"), .treatAllWarnings(as: .error),
    ]
  }
}
