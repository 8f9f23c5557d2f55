// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Lockstep",
  products: [
    .executable(name: "lockstep", targets: ["LockstepCLI"]),
    .executable(name: "lockstep-examples", targets: ["Examples"]),
    .executable(name: "data-parallel-example", targets: ["DataParallelExample"]),
    .library(name: "Lockstep", targets: ["Lockstep"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C and the system's libraries.
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m"), .linkedLibrary("pthread")]),
    .target(name: "CDigits", exclude: ["README.md"]),
    .target(name: "CSignals"),
    .target(name: "CSharedMemory"),

    // The layers, lowest first: a target imports only what stands above it here.
    .target(name: "TensorCore", dependencies: ["CKernels", "COpenBLAS"]),
    .target(name: "NeuralNetworks", dependencies: ["TensorCore"]),
    .target(name: "Optimizers", dependencies: ["NeuralNetworks", "TensorCore", "CKernels"]),
    .target(name: "DataLoading", dependencies: ["CDigits", "CZlib"]),
    .target(name: "Collectives", dependencies: ["CSharedMemory"]),
    .target(name: "MPICollectives", dependencies: ["Collectives", "COpenMPI", "CSharedMemory"]),
    .target(
      name: "Training",
      dependencies: [
        "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading", "Collectives", "CKernels",
        "CSharedMemory", "CZlib", "CSignals",
      ]),
    .target(
      name: "Lockstep",
      dependencies: [
        "Training", "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading", "Collectives",
        "MPICollectives",
      ]),
    .executableTarget(
      name: "LockstepCLI",
      dependencies: [
        "Lockstep", "Training", "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading",
        "Collectives", "MPICollectives", "CSignals",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Yams", package: "Yams"),
      ]),

    // What a user's own program looks like.
    .executableTarget(name: "DataParallelExample", dependencies: ["Lockstep"]),

    // The systems of the teaching texts; see tutorial.md in Sources/Lockstep/Lockstep.docc.
    .executableTarget(
      name: "Examples",
      dependencies: [
        "Optimizers", "NeuralNetworks", "TensorCore", "DataLoading",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Tests mirror Sources; what they share is in TestSupport.
    .target(name: "TestSupport", dependencies: ["TensorCore"], path: "Tests/TestSupport"),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels"]),
    .testTarget(
      name: "TensorCoreTests", dependencies: ["TensorCore", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "NeuralNetworksTests", dependencies: ["NeuralNetworks", "TensorCore", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "OptimizersTests",
      dependencies: ["Optimizers", "NeuralNetworks", "TensorCore", "TestSupport"],
      resources: [.copy("Goldens")]),
    .testTarget(name: "DataLoadingTests", dependencies: ["DataLoading", "CZlib"]),
    .testTarget(name: "CollectivesTests", dependencies: ["Collectives"]),
    .testTarget(
      name: "MPICollectivesTests", dependencies: ["MPICollectives", "Collectives"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Collectives", "DataLoading", "Optimizers", "NeuralNetworks", "TensorCore",
        "TestSupport",
      ],
      resources: [.copy("Goldens")]),
    .testTarget(
      name: "LockstepCLITests",
      dependencies: [
        "LockstepCLI", "Lockstep", "Training", "Optimizers", "NeuralNetworks", "TensorCore",
      ]),
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
