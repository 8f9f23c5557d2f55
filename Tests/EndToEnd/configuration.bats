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

@test "configuration: all mistakes are told at once, by line, with the right reason (78)" {
  printf 'lr: 0.1\ntraining:\n  epochs: 0\n  batch_size: 5\noptimizer: adam\n' >many.yaml
  lockstep train many.yaml --set model.kind=transformer
  assert_failed_with 78 'the configuration has 5 mistakes:$'
  assert_equal "$(sed -n '2,$s/^  \([^ ]* *[^ ]*\).*/\1/p' "$err" | cut -d: -f 1,2 | sed 's,[: ]*$,,')" \
    "$(printf 'many.yaml:%d\n' 1 3 4 5; echo '--set model.kind=transformer')"
  assert_stderr_fits "did you mean 'optimizer.learningRate'"
  assert_stderr_fits "'training.epochs'.* which is out of range; allowed: an integer from 1"
  assert_stderr_fits "did you mean 'training.globalBatch'"
}

@test "configuration: a run knows the folder of its data from everywhere" {
  mkdir -p data elsewhere
  seq 60 | awk '{ print $1 % 7 "," $1 % 5 "," ($1 % 2 ? "a" : "b") }' >data/table.csv
  local small=(--set data.kind=csv --set 'model.hidden=[4]')
  lockstep train "${small[@]}" --set data.path=data/table.csv --set training.epochs=2 --run-dir run \
    --max-steps 1
  assert_success
  assert_one_line run/config.yaml '^  path: "data/table.csv"$'
  cd elsewhere
  lockstep eval ../run
  assert_success
  lockstep train ../run/config.yaml --run-dir ../run
  assert_success
  assert_equal "$(<../run/STATUS)" 'done'
  # A new run of the same configuration, then of its weights.
  lockstep train ../run/config.yaml --run-dir ../other
  assert_success
  mkdir deeper
  cd deeper
  lockstep eval ../../other
  assert_success
  lockstep train "${small[@]}" --set data.path=../../data/table.csv --set training.epochs=1 \
    --set model.weights=../../run
  assert_success
  assert_stderr_fits "loaded 4 tensors of '../../run/checkpoints/"
}

@test "configuration: weights of a folder without a checkpoint are an error (66)" {
  mkdir empty
  lockstep train "$digits" --set model.weights=empty
  assert_failed_with 66 "there is no checkpoint at 'empty'"
}

@test "train: warns of a batch that is larger than the data, or smaller than the ranks" {
  lockstep train "$digits" --set training.globalBatch=2000 --dry-run
  assert_success
  assert_stderr_fits 'globalBatch is 2,000, and there are 1,438 training samples'
  ranks 2 train "$digits" --set training.globalBatch=1 --dry-run
  assert_success
  assert_stderr_fits 'globalBatch is 1, and there are 2 ranks'
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
