// swift-tools-version: 6.2
// A program for libFuzzer that reads damaged files; `launch/test fuzz` builds and runs it.
//
// It is a package of its own, built on request only: all code in it is compiled for the fuzzer.
import PackageDescription

let package = Package(
  name: "ReaderFuzzer",
  dependencies: [.package(name: "Lockstep", path: "../..")],
  targets: [
    .executableTarget(
      name: "ReaderFuzzer", dependencies: [.product(name: "Lockstep", package: "Lockstep")])
  ]
)
