#!/usr/bin/env bats
# launch/run.
# shellcheck disable=SC2154 # sandbox.bash sets `digits`.

load sandbox

@test "run: trains the digits by default" {
  launch run
  assert_success
  assert_called "swift build --package-path $PROJECT -c release --product lockstep"
  assert_output --partial "[train][$digits]"
  assert_output --partial "the first build takes"
}

@test "run: passes arguments on unchanged" {
  cp "$digits" "my digits.yaml"
  launch run "my digits.yaml" --set "data.path=a folder" --dry-run
  assert_output --partial "[train][my digits.yaml][--set][data.path=a folder][--dry-run]"
  launch run --max-steps 3
  assert_output --partial "[train][$digits][--max-steps][3]"
}

@test "run: refuses a missing configuration before the build" {
  launch run no-such.yaml
  assert_failure 66
  assert_output --partial "cannot read the configuration 'no-such.yaml'"
  assert_output --partial "configs/digits-mlp.yaml"
  refute_called swift
}

@test "run: exits with the code of the training" {
  LOCKSTEP_EXIT=75 launch run
  assert_failure 75
}

@test "run: shows the log of a failed build" {
  stand_in swift <<'TEXT'
[[ $1 == --version ]] && echo "Swift version 6.3" && exit
echo "error: cannot find 'loss' in scope"
exit 1
TEXT
  launch run
  assert_failure 70
  assert_output --partial "error: cannot find 'loss' in scope"
  assert_output --partial "the build failed"
}
