#!/usr/bin/env bats
# `lockstep train` in one process: what it learns, prints and writes, and its run directory.
# shellcheck disable=SC2016 # What stands in single quotes is expanded by another shell.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "train: learns the digits" {
  lockstep train "$digits" --run-dir run
  assert_success
  assert_accuracy run 0.95
  assert_logs_every_step run 1380
  # A line per epoch, and no escape codes.
  assert_one_line "$out" '^ +60 +1380 '
  refute_line --regexp $'\033|\r'
  refute_line --regexp '^ .{80}'
  refute_stderr_at_all
  # The run directory has the whole configuration.
  lockstep config show run/config.yaml
  cmp run/config.yaml "$out"
}

# MARK: Profiles

@test "--profile: shows where the time of some steps goes; training gives the same bits" {
  lockstep "${short[@]}" --run-dir plain --max-steps 40
  assert_success
  lockstep "${short[@]}" --run-dir profiled --max-steps 40 --profile 30
  assert_success
  assert_same_losses plain profiled
  assert_same_weights plain profiled
  # The table is on standard error, and in the run directory beside the trace.
  assert_one_line "$err" '^profile of 30 steps, '
  assert_one_line profiled/profile/operations.txt '^profile of 30 steps, '
  assert_one_line profiled/profile/operations.txt '^Linear +backward +[1-9] '
  # In the table of operations and in that of modules.
  assert_equal "$(grep -Ec '^between steps +1' profiled/profile/operations.txt)" 2
  assert_equal "$(grep -c '"step [0-9]*"' profiled/profile/trace.json)" 30
  assert_one_line profiled/profile/trace.json '"thread_name".*"data loader"'
  assert_one_line profiled/profile/trace.json '"thread_name".*"checkpoint"'
  grep -q '"copy of step 20"' profiled/profile/trace.json
}

@test "--profile: a run that is shorter has fewer steps in the profile, or a warning" {
  lockstep "${short[@]}" --run-dir short --max-steps 10 --profile 30
  assert_success
  assert_one_line short/profile/operations.txt '^profile of 7 steps, '
  lockstep "${short[@]}" --run-dir shorter --max-steps 3 --profile 30
  assert_success
  assert_one_line "$err" 'no step was profiled'
}

@test "--profile: takes 1 to 1000 steps (64)" {
  lockstep train "$digits" --profile 0
  assert_failed_with 64 '--profile must be 1 to 1000'
}

# MARK: Run directories

@test "run directory: the same command after the end does nothing" {
  copy_trained_run
  touch mark
  sleep 0.1
  lockstep train "$digits" --run-dir trained
  assert_success
  assert_line --regexp 'nothing is left to do'
  assert_logs_every_step trained 1380
  assert_equal \
    "$(find trained/checkpoints trained/metrics.jsonl -newer mark ! -name checkpoints)" ""
}

@test "run directory: --resume never refuses a used one (73)" {
  copy_trained_run
  lockstep train "$digits" --run-dir trained --resume never
  assert_failed_with 73 "'trained'.*--run-dir"
  assert_logs_every_step trained 1380
  ranks 2 train "$digits" --run-dir trained --resume never
  assert_failed_with 73 "'trained'"
}

@test "run directory: another configuration is refused, with the difference (78)" {
  copy_trained_run
  lockstep train "$digits" --run-dir trained --set training.seed=2
  assert_failed_with 78 "'trained/checkpoints/step-001380'"
  assert_stderr_fits 'training.seed: 1 .*2'
}

@test "run directory: a path below a file is refused (73)" {
  touch file
  lockstep train "$digits" --run-dir file/run
  assert_failed_with 73 "'file"
  ranks 2 train "$digits" --run-dir file/run
  assert_failed_with 73 "'file"
}

@test "run directory: a folder that cannot be written is refused (73)" {
  [[ -d /proc/self ]] || skip "there is no /proc, which nobody can write"
  lockstep train "$digits" --run-dir /proc/run
  assert_failed_with 73 '/proc/run'
}

@test "run directory: without --run-dir, the same command resumes an interrupted run" {
  lockstep train "$digits" --max-steps 40 --set training.epochs=2
  lockstep train "$digits" --set training.epochs=2
  assert_success
  assert_line --regexp '^resuming after step 40 '
  local runs=(runs/digits-mlp/*)
  assert_equal "${#runs[@]}" 1
  assert_logs_every_step "${runs[0]}" 46
  # After a finished run it begins a new one.
  lockstep train "$digits" --set training.epochs=2
  assert_success
  runs=(runs/digits-mlp/*)
  assert_equal "${#runs[@]}" 2
  refute_line --regexp 'resuming'
}

@test "run directory: 2 ranks without --run-dir share one" {
  ranks 2 train "$digits" --max-steps 20
  assert_success
  local runs=(runs/digits-mlp/*)
  assert_equal "${#runs[@]}" 1
  assert_logs_every_step "${runs[0]}" 20
}

# MARK: Output

@test "train: --progress json prints objects only" {
  lockstep train "$digits" --run-dir run --max-steps 30 --progress json
  assert_success
  assert_one_line "$out" '"step":30,.*"loss":'
  assert_one_line "$out" '"kind":"epoch"'
  refute_line --regexp '^[^{]|[^}]$'
}

@test "train: --progress none prints nothing" {
  lockstep train "$digits" --run-dir run --max-steps 30 --progress none
  assert_success
  refute_output
  refute_stderr_at_all
  assert_logs_every_step run 30
}

@test "train: a closed pipe does not stop it" {
  launch bash -c '"$@" | head -n 1 >/dev/null; exit "${PIPESTATUS[0]}"' bash \
    "$lockstep" "${short[@]}" --run-dir run
  assert_success
  assert_logs_every_step run 120
}

@test "train: with closed standard files, no other file gets the output" {
  launch bash -c '"$@" <&- >&- 2>&-' bash "$lockstep" "${short[@]}" --run-dir run
  assert_success
  assert_logs_every_step run 120
  refute grep -qv '^{.*}$' run/metrics.jsonl
}

@test "train: a full standard output does not stop it" {
  [[ -c /dev/full ]] || skip "there is no /dev/full"
  launch bash -c '"$@" >/dev/full' bash "$lockstep" "${short[@]}" --run-dir run
  assert_success
  assert_logs_every_step run 120
}

# MARK: A loss that is not finite

diverging=("${short[@]}" --set optimizer.learningRate=1e20 --set checkpoint.everySteps=1)

@test "train: a loss that is not finite is an error, with step and remedy (80)" {
  lockstep "${diverging[@]}" --run-dir run
  assert_failed_with 80 'step.*Lower optimizer.learningRate'
  # The last good checkpoint is intact.
  lockstep checkpoint info run
  assert_success
  assert_line --regexp '^step +[1-9]'
}

@test "train: 2 ranks report a loss that is not finite once (80)" {
  ranks 2 "${diverging[@]}" --run-dir run
  assert_failed_with 80 'Lower optimizer.learningRate'
}
