#!/usr/bin/env bats
# launch/test.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.

load sandbox

# Adds a test of the launch scripts, and one of the real command. The stand-in for bats prints for
# which programs it is called.
add_test_scripts() {
  mkdir -p project/Tests/{Launch,EndToEnd,OwnProgram,Faults}
  touch project/Tests/{Launch,EndToEnd,OwnProgram,Faults}/some.bats
  stand_in bats <<<'echo "tests of ${!#} with ${LOCKSTEP_BINARIES-no programs}"'
}

@test "test: runs every part" {
  add_test_scripts
  launch test
  assert_success
  assert_called "bats --print-output-on-failure $PROJECT/Tests/Launch"
  assert_called "swift build --package-path $PROJECT -c release --build-tests"
  assert_called "swift test --package-path $PROJECT -c release --skip-build --disable-xctest"
  local ranks
  for ranks in 1 2 3 4; do
    assert_called "mpirun -np $ranks --oversubscribe --tag-output --timeout 120\
 project/.build/release/LockstepPackageTests.xctest --testing-library swift-testing --filter MPI"
    assert_output --partial "passed with -np $ranks: test run with 7 tests in 2 suites passed"
  done
  assert_line "tests of $PROJECT/Tests/Launch with no programs"
  assert_line "tests of $PROJECT/Tests/EndToEnd with project/.build/release"
  assert_line "tests of $PROJECT/Tests/Faults with project/.build/release"
  assert_output --partial "passed: launch unit mpi end-to-end program faults ("
}

@test "test: runs the parts that it is given" {
  add_test_scripts
  launch test unit
  assert_success
  refute_called mpirun
  assert_output --partial "passed: unit ("
  launch test launch
  assert_success
  refute_called "swift build"
}

@test "test: runs the sanitizers where they are asked for, each in its own build" {
  add_test_scripts
  launch test sanitizers
  assert_success
  refute_called "swift build"
  local sanitizer
  for sanitizer in address thread; do
    assert_called --partial "swift test --package-path $PROJECT --sanitize $sanitizer\
 --scratch-path $PROJECT/.build/sanitizers/$sanitizer -Xswiftc -DSANITIZERS"
  done
  assert_output --partial "passed: sanitizers ("
  stand_in swift <<<'[[ $* != *"--sanitize thread"* ]] || exit 1; echo "Swift version 6.2"'
  launch test sanitizers
  assert_failure 1
  assert_output --partial "FAILED with --sanitize thread"
  assert_output --partial "FAILED: sanitizers (of sanitizers;"
}

@test "test: continues after a failed part, and names it" {
  add_test_scripts
  stand_in mpirun <<'END'
if [[ $2 == 3 ]]; then echo "rank 1 hangs"; exit 110; fi
echo "Test run with 7 tests in 2 suites passed"
END
  launch test
  assert_failure 1
  assert_output --partial "rank 1 hangs"
  assert_output --partial "FAILED with -np 3"
  assert_output --partial "passed with -np 4"
  assert_output --partial "tests of $PROJECT/Tests/EndToEnd with"
  assert_output --partial "FAILED: mpi (of launch unit mpi end-to-end program faults;"
}

@test "test: ranks that run no test, or skip one, have failed" {
  add_test_scripts
  stand_in mpirun <<'END'
case $2 in
  1) echo "Test run with 0 tests in 0 suites passed" ;;
  2) printf '%s\n' "Test promises() skipped" "Test run with 7 tests in 2 suites passed" ;;
  *) echo "Test run with 7 tests in 2 suites passed" ;;
esac
END
  launch test mpi
  assert_failure 1
  assert_output --partial "FAILED with -np 1"
  assert_output --partial "FAILED with -np 2"
  assert_output --partial "passed with -np 3"
}

@test "test: refuses an unknown part" {
  launch test units
  assert_failure 64
  assert_output --partial "unknown part 'units'"
}

@test "test: fails where a part's tests are missing" {
  add_test_scripts
  rm project/Tests/Launch/some.bats
  launch test launch
  assert_failure 1
  assert_output --partial "there are no bats files in $PROJECT/Tests/Launch"
  rm project/Tests/EndToEnd/some.bats
  launch test end-to-end
  assert_failure 1
  assert_output --partial "there are no bats files in $PROJECT/Tests/EndToEnd"
  rm -r project/Tests
  launch test
  assert_failure 1
  assert_output --partial "there are no bats files in $PROJECT/Tests/Launch"
  assert_output --partial "there are no bats files in $PROJECT/Tests/EndToEnd"
  assert_output --partial "FAILED: launch end-to-end program faults (of launch unit mpi end-to-end program faults;"
}

@test "test: the end-to-end part fails with its tests, and needs bats" {
  add_test_scripts
  stand_in bats <<<'[[ ${!#} != */EndToEnd ]]'
  launch test launch end-to-end
  assert_failure 1
  assert_output --partial "FAILED: end-to-end (of launch end-to-end;"
  rm bin/bats
  launch test end-to-end
  assert_output --partial "installing: bats"
}

@test "test: the faults part passes its options on, and prints the counts" {
  add_test_scripts
  stand_in bats <<'END'
printf 'kill\t7\t7\nnothing\t-\tskipped: no disk\n' >>"$FAULTS_COUNTS"
echo "tier $FAULTS_TIER, random $FAULTS_RANDOM, seed $FAULTS_SEED"
END
  launch test faults --tier full --random 9 --seed 5
  assert_success
  assert_line "tier full, random 9, seed 5"
  assert_line --regexp '^kill +7 +7$'
  assert_line --regexp '^nothing +- +skipped: no disk$'
  assert_line --regexp '^all +7 +7$'
  assert_line "tier full, seed 5"
}

@test "test: the faults part fails where a fault was not survived" {
  add_test_scripts
  stand_in bats <<<"printf 'kill\\t7\\t6\\n' >>\"\$FAULTS_COUNTS\""
  launch test faults
  assert_failure 1
  assert_line --regexp '^kill +7 +6$'
  assert_output --partial "FAILED: faults (of faults;"
}

@test "test: fuzzes each reader, and fails where an input ends one" {
  add_test_scripts
  mkdir -p project/Tests/CheckpointingTests/Goldens project/.build/fuzz/release
  touch project/Tests/CheckpointingTests/Goldens/mlp.safetensors
  cp "$BATS_TEST_DIRNAME/../EndToEnd/data.bash" project/Tests/EndToEnd
  stand_in ReaderFuzzer <<<'echo "number_of_executed_units: 12"; [[ $1 != "$FAILING" ]]'
  mv bin/ReaderFuzzer project/.build/fuzz/release
  launch test fuzz --seconds 7 --seed 3
  assert_success
  assert_called "swift build --package-path $PROJECT/Tests/Fuzz --scratch-path $PROJECT/.build/fuzz\
 -c release -Xswiftc -sanitize=fuzzer -Xswiftc -use-ld=lld"
  local reader
  for reader in safetensors csv npy idx text; do
    assert_line "passed: $reader, 12 inputs"
    grep -q "^ReaderFuzzer $reader -max_total_time=7 .*-seed=3 " "$CALLS"
    assert_file_not_empty project/.build/fuzz/results/csv/good
  done
  export FAILING=npy
  launch test fuzz
  assert_failure 1
  assert_line "FAILED: npy; the input is in project/.build/fuzz/results"
  assert_line "passed: text, 12 inputs"
}

@test "test: the clients part makes a Python with the packages, and does without what it cannot have" {
  add_test_scripts
  mkdir project/Tests/Clients
  touch project/Tests/Clients/some.bats
  stand_in chromium <<<''
  stand_in python3 <<'END'
[[ $1 == -m ]] || exit 0
mkdir -p "${!#}/bin"
cp "$BIN/python" "${!#}/bin"
END
  stand_in python <<<'[[ " $* " != *" torch "* ]]'
  launch test clients
  assert_success
  assert_called "python3 -m venv --system-site-packages $PROJECT/.build/clients"
  assert_called "python -m pip install --quiet --disable-pip-version-check\
 numpy onnx onnxruntime safetensors tensorboard"
  assert_line "tests of $PROJECT/Tests/Clients with project/.build/release"
  assert_output --partial "passed: clients ("

  LOCKSTEP_CLIENTS_TORCH=1 launch test clients
  assert_success
  refute_called venv
  assert_line "tests that need these packages are skipped"

  rm bin/chromium
  launch test clients
  assert_success
  assert_called --partial "install -y --no-install-recommends chromium"
  assert_line "tests that need these programs are skipped"
}

@test "test: the package part makes the package and tests it, and fails where it cannot be made" {
  add_test_scripts
  mkdir project/Tests/Package
  touch project/Tests/Package/some.bats
  stand_in debootstrap <<<''
  stand_in bats <<<'echo "tests of ${!#} with ${LOCKSTEP_PACKAGE##*/}"'
  stand_in package <<<'exit "${PACKAGE_EXIT:-0}"'
  mv bin/package project/launch/package
  launch test package
  assert_success
  assert_called --partial "package --output "
  assert_line "tests of $PROJECT/Tests/Package with lockstep.tar.gz"
  assert_output --partial "passed: package ("
  PACKAGE_EXIT=70 launch test package
  assert_failure 1
  assert_output --partial "FAILED: package (of package;"
  refute_called "bats "
  rm bin/debootstrap
  launch test package
  assert_called --partial "install -y --no-install-recommends debootstrap"
  assert_success
}

@test "test: refuses options without a fitting value" {
  launch test faults --tier much
  assert_failure 64
  assert_output --partial "--tier needs sample or full, and got 'much'"
  launch test --seed
  assert_failure 64
  assert_output --partial "--seed needs a number"
  launch test --seeds 3
  assert_failure 64
  assert_output --partial "unknown option '--seeds'"
}
