#!/usr/bin/env bats
# The command line: help, wrong arguments, and `lockstep doctor`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "command line: --version prints the version" {
  lockstep --version
  assert_success
  assert_line --regexp '^lockstep [0-9]+\.[0-9]+\.[0-9]+'
}

@test "command line: without arguments it lists the commands" {
  lockstep
  assert_success
  assert_line --regexp '^  train '
}

@test "command line: --help of every command fits into 80 columns" {
  local page command
  lockstep reference --docc pages
  assert_success
  for page in pages/lockstep-*.md; do
    command=${page#pages/lockstep-}
    command=${command%.md}
    # shellcheck disable=SC2086 # A command of two words is two words.
    lockstep ${command//-/ } --help
    assert_success
    assert_line --regexp "^USAGE: .*lockstep ${command%%-*}"
    refute_line --regexp '.{81}'
  done
  assert_file_exists pages/lockstep-checkpoint-info.md
}

@test "command line: an unknown command is refused (64)" {
  lockstep trian
  assert_failed_with 64 "'trian'; did you mean 'lockstep train'\?"
  lockstep data ftech
  assert_failed_with 64 "did you mean 'lockstep data fetch'\?"
  lockstep evaluate runs/digits
  assert_failed_with 64 "did you mean 'lockstep eval'\?"
  lockstep frobnicate
  assert_failed_with 64 "'lockstep' has the commands train, eval, "
  lockstep data fetch minst
  assert_failed_with 64 "did you mean 'mnist'\?"
}

@test "command line: an unknown option is refused, with the setting that it is elsewhere (64)" {
  lockstep train --epochs 3
  assert_failed_with 64 "Unknown option '--epochs'; .*--set training.epochs=3$"
  lockstep train --lr=0.1
  assert_failed_with 64 "Unknown option '--lr'; .*--set optimizer.learningRate=0.1$"
  lockstep train --batch-size "a b"
  assert_failed_with 64 "Unknown option '--batch-size'; .*--set 'training.globalBatch=a b'$"
  lockstep train --resume_from runs/digits
  assert_failed_with 64 "use --resume PATH"
  lockstep train --max-step 3
  assert_failed_with 64 "Did you mean '--max-steps'"
}

@test "command line: an impossible value of an option is refused (64)" {
  lockstep train --max-steps 0
  assert_failed_with 64 'max-steps must be at least 1'
}

@test "command line: 2 ranks print one version, and an error once" {
  ranks 2 --version
  assert_success
  assert_one_line "$out" '^lockstep '
  ranks 2 train --epochs 3
  assert_failed_with 64 "Unknown option '--epochs'"
}

@test "doctor: finds nothing wrong" {
  lockstep doctor
  assert_success
  assert_line --regexp '^\[ok\] +collectives'
  refute_line --regexp FAIL
}

@test "doctor: finds nothing wrong with 2 ranks" {
  ranks 2 doctor
  assert_success
  assert_line --regexp '^\[ok\] +ranks +2 on 1 host'
  refute_line --regexp FAIL
}
