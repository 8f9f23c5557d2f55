#!/usr/bin/env bats
# launch/test.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.

load sandbox

# Adds a test of the launch scripts, and stand-ins for those of the real command.
add_test_scripts() {
  mkdir -p project/Tests/{Launch,EndToEnd}
  touch project/Tests/Launch/some.bats
  stand_in end-to-end-part <<<'echo "end to end with $1"'
  mv bin/end-to-end-part project/Tests/EndToEnd/run
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
  assert_output --partial "end to end with project/.build/release/lockstep"
  assert_output --partial "passed: launch unit mpi end-to-end ("
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
  stand_in mpirun <<<'[[ $2 != 3 ]] || { echo "rank 1 hangs"; exit 110; }'
  launch test
  assert_failure 1
  assert_output --partial "rank 1 hangs"
  assert_output --partial "FAILED with -np 3"
  assert_output --partial "passed with -np 4"
  assert_output --partial "end to end with"
  assert_output --partial "FAILED: mpi (of launch unit mpi end-to-end;"
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
  rm -r project/Tests
  launch test
  assert_failure 1
  assert_output --partial "there are no bats files in $PROJECT/Tests/Launch"
  assert_output --partial "$PROJECT/Tests/EndToEnd/run"
  assert_output --partial "FAILED: launch end-to-end (of launch unit mpi end-to-end;"
}
