#!/usr/bin/env bats
# launch/docs.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2154 # ../bats sets `root`.

load sandbox

# Adds the articles, and a docc.
add_documentation() {
  mkdir project/Sources
  cp -r "$root/Sources/Lockstep" "$root/Sources/LockstepTensors" project/Sources
  stand_in docc <<<'grep -o "(doc:backward)" "$2/tutorial.md"; exit "${DOCC_EXIT:-0}"'
}

@test "docs: are built of all modules and articles" {
  add_documentation
  launch docs
  assert_success
  assert_called "swift build --package-path $PROJECT -c release --product lockstep"
  # What `import Lockstep` exports, and what the library that it exports does.
  assert_called --partial \
    "-experimental-allowed-reexported-modules=Collectives,DataLoading,DataParallel,LockstepTensors,"
  assert_called --partial ",Base,Checkpointing,NeuralNetworks,Optimizers,TensorCore"
  assert_called --partial "--output-path $PROJECT/.build/docs --warnings-as-errors"
  assert_output --partial "(doc:backward)"
  assert_output --partial "[reference][--docc]"
  assert_output --partial "documentation in project/.build/docs/index.html"
  assert_file_contains project/.build/docs/index.html documentation/lockstep/index.html
}

@test "docs: --open opens them, another option is refused" {
  add_documentation
  stand_in xdg-open <<<'echo "opened $1"'
  launch docs --open
  assert_success
  assert_output --partial "opened $PROJECT/.build/docs/index.html"
  launch docs --opne
  assert_failure 64
  assert_output --partial "unknown option '--opne'"
}

@test "docs: exits with the code of docc" {
  add_documentation
  DOCC_EXIT=3 launch docs
  assert_failure 3
  refute_output --partial "documentation in"
}

@test "docs: says where docc is" {
  launch docs
  assert_failure 69
  assert_output --partial "no 'docc' on the PATH. It comes with Swift"
  refute_called "swift build"
}
