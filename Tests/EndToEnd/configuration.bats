#!/usr/bin/env bats
# Configurations: `lockstep config`, --set, --dry-run, and what is wrong in a file.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "config show: prints a file that means the same" {
  lockstep config show "$digits"
  cp "$out" shown.yaml
  lockstep config show shown.yaml
  assert_success
  assert_one_line "$out" '^name: "digits-mlp"$'
  cmp "$out" shown.yaml
}

@test "config show: understands an old key, with a warning" {
  lockstep config show "$digits" --set distributed.shards=4
  assert_success
  assert_one_line "$out" '^  fixedSlices: 4$'
  assert_one_line "$err" \
    "^warning: .*'distributed.shards' is now named 'distributed.fixedSlices'"
}

@test "config show: --keys explains every key" {
  lockstep config show --keys
  assert_success
  assert_line --regexp '^optimizer\.learningRate: 0\.05$'
  assert_line --regexp 'default 0\.05; allowed: a number'
}

@test "config schema: prints a JSON Schema" {
  lockstep config schema
  assert_success
  # shellcheck disable=SC2016 # This is a key of JSON Schema.
  assert_one_line "$out" '^\{"\$schema":.*"globalBatch":\{"type":"integer",.*\}$'
}

@test "config check: accepts a file that config show printed" {
  lockstep config show "$digits"
  cp "$out" shown.yaml
  lockstep config check shown.yaml
  assert_success
  assert_line --regexp 'shown.yaml is right.* steps'
}

@test "train --dry-run: says what would be trained, and writes nothing" {
  lockstep train "$digits" --dry-run
  assert_success
  assert_line --regexp 'data +digits'
  assert_equal "$(ls -A)" ""
}

# MARK: Errors

@test "configuration: an unknown key is refused, with its line and the nearest key (78)" {
  printf 'training:\n  epochs: 3\n  globalBacth: 5\n' >typo.yaml
  lockstep train typo.yaml
  assert_failed_with 78 "typo.yaml:3: .*'training.globalBacth'.*'training.globalBatch'"
}

@test "configuration: a wrong type is refused, with its line and what is allowed (78)" {
  printf 'training:\n  epochs: many\n' >type.yaml
  lockstep train type.yaml
  assert_failed_with 78 "type.yaml:2: 'training.epochs'.*'many'; allowed: an integer"
}

@test "configuration: a file that is not YAML is refused, with the line (78)" {
  printf 'training:\n\tepochs: 3\n' >tab.yaml
  lockstep config check tab.yaml
  assert_failed_with 78 'tab.yaml:2: '
}

@test "configuration: a wrong value of --set is refused (78)" {
  lockstep train --set optimizer.learningRate=fast
  assert_failed_with 78 "optimizer.learningRate.*'fast'"
}

@test "configuration: an option of another data format is refused, even with its default (78)" {
  printf 'data:\n  kind: csv\n  path: a.csv\n  blockSize: 64\n' >unused.yaml
  lockstep config check unused.yaml
  assert_failed_with 78 "'data.blockSize' is not for kind csv"
}

@test "configuration: a missing file is an error (66)" {
  lockstep train missing.yaml
  assert_failed_with 66 "'missing.yaml'"
}

@test "configuration: 2 ranks print an error once" {
  printf 'training:\n  epochs: 3\n  globalBacth: 5\n' >typo.yaml
  ranks 2 train typo.yaml
  assert_failed_with 78 'typo.yaml:3: '
  ranks 2 train missing.yaml
  assert_failed_with 66 "'missing.yaml'"
}
