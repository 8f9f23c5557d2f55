#!/usr/bin/env bats
# Checks of the system: Swift, and the packages that scripts install or name.
# shellcheck disable=SC2154,SC2030,SC2031 # sandbox.bash sets `sandbox`; each test has its environment.

load sandbox

# MARK: Swift

@test "setup: without Swift, one message says how to get it" {
  rm bin/swift installed/zlib
  local script
  for script in run test; do
    launch "$script"
    assert_failure 69
    assert_output --partial "there is no 'swift' on the PATH"
    assert_output --partial "https://www.swift.org/install/linux/"
    refute_called apt-get
  done
}

@test "setup: an old Swift is refused, with its version" {
  SWIFT_VERSION=6.1.3 launch run
  assert_failure 69
  assert_output --partial "is 6.1.3"
  assert_output --partial "https://www.swift.org/install/linux/"
}

@test "setup: versions are compared as numbers" {
  SWIFT_VERSION=6.10 launch run
  assert_success
}

@test "setup: a Swift that does not run is refused" {
  stand_in swift <<<'exit 1'
  launch run
  assert_failure 69
  assert_output --partial "prints no Swift version"
}

# MARK: System packages

@test "setup: nothing is installed where nothing is missing" {
  launch run
  assert_success
  refute_called apt-get
  refute_called sudo
}

@test "setup: only missing packages are installed, with sudo" {
  rm installed/openblas bin/mpirun
  launch run
  assert_success
  assert_output --partial "installing: libopenblas-dev openmpi-bin"
  refute_called libopenmpi-dev
  assert_called --partial "sudo -n env"
  assert_called --partial "install -y --no-install-recommends libopenblas-dev openmpi-bin"
}

@test "setup: root installs without sudo" {
  rm installed/zlib
  stand_in id <<<'echo 0'
  launch run
  assert_success
  refute_called sudo
  assert_called --partial "install -y --no-install-recommends zlib1g-dev"
}

@test "setup: without sudo, the message has the exact command" {
  rm bin/sudo installed/*
  launch run
  assert_failure 69
  assert_output --partial \
    "apt-get update && apt-get install -y libopenblas-dev libopenmpi-dev zlib1g-dev libturbojpeg0-dev libpng-dev"
  refute_called "swift build"
}

@test "setup: a failed installation shows its log and the command" {
  rm installed/zlib
  stand_in apt-get <<<'echo "E: no network"; exit 100'
  launch run
  assert_failure 69
  assert_output --partial "E: no network"
  assert_output --partial "sudo apt-get update && sudo apt-get install -y zlib1g-dev"
}

@test "setup: an installation without effect is noticed" {
  rm installed/zlib
  stand_in apt-get <<<''
  launch run
  assert_failure 69
  assert_output --partial "still not found after the installation: zlib1g-dev"
}

@test "setup: other systems get their own package names" {
  rm bin/apt-get bin/mpirun installed/*
  launch run
  assert_failure 69
  assert_output --partial \
    "by their Debian names: libopenblas-dev libopenmpi-dev openmpi-bin zlib1g-dev libturbojpeg0-dev libpng-dev."
  stand_in brew <<<''
  launch run
  assert_output --partial "brew install openblas open-mpi zlib jpeg-turbo libpng"
  stand_in pacman <<<''
  launch run
  assert_output --partial "sudo pacman -S --needed openblas openmpi zlib libjpeg-turbo libpng"
  stand_in dnf <<<''
  launch run
  assert_failure 69
  assert_output --partial "sudo dnf install -y openblas-devel openmpi-devel openmpi zlib-devel turbojpeg-devel libpng-devel"
  refute_called "dnf "
}

# MARK: bats

@test "setup: only launch/test installs bats and its libraries" {
  rm -r bin/bats lib
  touch project/Tests/Launch/some.bats
  launch run
  assert_success
  refute_called apt-get
  launch test unit
  assert_success
  refute_called apt-get
  launch test launch
  assert_success
  assert_called --partial \
    "install -y --no-install-recommends bats bats-support bats-assert bats-file"
  assert_called "bats --print-output-on-failure $PROJECT/Tests/Launch"
}

@test "setup: the libraries of bats are found where packages put them" {
  touch project/Tests/Launch/some.bats
  local folder
  for folder in lib share share/bats; do
    mkdir -p "$folder"
    mv lib/bats/bats-* "$folder"
    launch test launch
    assert_success
    refute_called apt-get
    assert_line "libraries: $sandbox/lib:$sandbox/lib/bats:$sandbox/share:$sandbox/share/bats"
    mv "$folder"/bats-* lib/bats
  done
  mv lib/bats "my libraries"
  libraries=nowhere launch test launch
  assert_failure 69
  libraries="nowhere:my libraries" launch test launch
  assert_success
  assert_line "libraries: nowhere:my libraries"
}

@test "setup: other systems get their own names of bats and its libraries" {
  rm -r bin/apt-get bin/bats lib
  launch test
  assert_failure 69
  assert_output --partial "by their Debian names: bats bats-support bats-assert bats-file."
  stand_in brew <<<''
  launch test
  assert_output --partial "brew install bats-core bats-core/bats-core/bats-support"
  stand_in pacman <<<''
  launch test
  assert_output --partial "sudo pacman -S --needed bats bats-support bats-assert bats-file"
  stand_in dnf <<<''
  launch test
  assert_output --partial "sudo dnf install -y bats bats-support bats-assert bats-file"
  refute_output --partial "module load"
}

# MARK: Other MPI libraries

@test "setup: LOCKSTEP_MPI=mpich needs MPICH's packages in place of Open MPI's" {
  rm bin/mpirun installed/ompi-c
  export LOCKSTEP_MPI=mpich
  launch run
  assert_failure 69
  assert_output --partial "installing: libmpich-dev mpich"
  refute_called libopenmpi-dev
  touch installed/mpich
  stand_in mpiexec.hydra <<<''
  launch run
  assert_success
  refute_called apt-get
}

@test "setup: another MPI library must be known to pkg-config" {
  export LOCKSTEP_MPI=impi
  launch run
  assert_failure 69
  assert_output --partial "pkg-config does not find 'impi', which LOCKSTEP_MPI names"
  refute_called "swift build"
  touch installed/impi
  launch run
  assert_success
}
