#!/usr/bin/env bats
# Runs in one process that are stopped or killed, and resume.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "resume: a run that was stopped and killed has the weights of one that was not, bit for bit" {
  lockstep "${slow[@]}" --run-dir whole --max-steps 400
  assert_success
  assert_logs_every_step whole 400

  local broken=("${slow[@]}" --run-dir broken)
  lockstep "${broken[@]}" --max-steps 47
  assert_success
  assert_line --regexp 'stopped with a checkpoint'
  assert_dir_exists broken/checkpoints/step-000047

  begin broken "$lockstep" "${broken[@]}" --max-steps 400
  wait_for_steps broken 20
  kill -USR1 "$job"
  finish 30
  assert_equal "$status" 75
  assert_not_exists broken/LOCK

  begin broken "$lockstep" "${broken[@]}" --max-steps 400
  wait_for_steps broken 40
  kill -TERM "$job"
  finish 30
  assert_equal "$status" 75

  begin broken "$lockstep" "${broken[@]}" --max-steps 400
  wait_for_steps broken 40
  kill -KILL "$job"
  finish 30
  assert_equal "$status" 137
  assert_exists broken/LOCK

  # The next command resumes all the same.
  lockstep "${broken[@]}" --max-steps 400
  assert_success
  assert_line --regexp '^resuming after step [1-3][0-9]0 '
  assert_same_weights whole broken
  assert_logs_every_step broken 400
  assert_same_losses whole broken
}

@test "resume: the same command resumes its run, whatever was started in between" {
  lockstep "${short[@]}" --max-steps 30
  assert_success
  local first
  first=$(echo runs/digits-mlp/*)
  # Neither another learning rate nor another length touches it.
  cp -r "$first" before
  lockstep "${short[@]}" --set optimizer.learningRate=0.3 --max-steps 10
  assert_success
  assert_stderr_fits "^note: the run '$first', with 30 steps, differs: optimizer.learningRate 0.2 there, 0.3 here"
  lockstep "${short[@]}" --set training.epochs=1
  assert_success
  assert_stderr_fits '^note: .*training.epochs 6 there, 1 here'
  diff -r before "$first"
  # A full disk or a fault may leave any STATUS.
  echo failed >"$first/STATUS"
  lockstep "${short[@]}"
  assert_success
  assert_line --regexp "^run +$first\$"
  assert_line --regexp '^resuming after step 30 '
  assert_equal "$(<"$first/STATUS")" "done"
}

@test "resume: other data is refused (78), and --allow-change data continues" {
  awk -v OFS=, 'BEGIN { for (i = 0; i < 200; i++) print i % 7, i % 5, i % 2 }' >samples.csv
  local run=(train --set data.kind=csv --set data.path=samples.csv --set data.validation=20
    --set 'model.hidden=[4]' --set training.epochs=4 --run-dir run)
  lockstep "${run[@]}" --max-steps 5
  assert_success
  sed -i '7s/^./9/' samples.csv
  cp -r run before
  lockstep "${run[@]}"
  assert_failed_with 78 'training data: fingerprint [0-9a-f]+ in the checkpoint, [0-9a-f]+ now'
  diff -r before run
  ranks 2 "${run[@]}"
  assert_failed_with 78 'training data'
  lockstep "${run[@]}" --allow-change data
  assert_success
  assert_line --regexp '^resuming after step 5 '
}

@test "resume: a removed run directory is created again at the next checkpoint, with a warning" {
  begin run "$lockstep" "${slow[@]}" --run-dir run
  wait_for_steps run 25
  rm -r run
  wait_for_file run/checkpoints/latest
  kill -USR1 "$job"
  finish 30
  assert_equal "$status" 75
  assert_one_line "$err" '^warning: the run directory .run. was removed'
  assert_exists run/config.yaml
  assert_exists run/metrics.jsonl
  lockstep checkpoint info run
  assert_success
}

@test "resume: USR2 saves a checkpoint and the run continues" {
  begin run "$lockstep" "${slow[@]}" --run-dir run --set checkpoint.everySteps=100000
  wait_for_steps run 5
  kill -USR2 "$job"
  wait_for_file run/checkpoints/latest
  wait_for_steps run "$(($(last_step run) + 5))"
  kill -USR1 "$job"
  finish 30
  assert_equal "$status" 75
}

@test "resume: --max-time stops with a checkpoint of the last step, and the same command resumes" {
  local run=("${slow[@]}" --set training.epochs=100000 --set checkpoint.everySteps=100000)
  lockstep "${run[@]}" --max-time 3
  assert_failure 75
  local directory
  directory=$(echo runs/digits-mlp/*)
  assert_dir_exists "$directory/checkpoints/step-$(printf '%06d' "$(last_step "$directory")")"
  ranks 2 "${run[@]}" --max-time 0:04
  assert_failure 75
  assert_line --regexp '^resuming after step [0-9]+ '
  lockstep "${run[@]}" --max-time 1:77
  assert_failed_with 64 '1:77'
}

@test "resume: of two jobs in one run directory, the second is refused (73)" {
  # The second job waits a while for the lock, so the first one must last.
  begin both "$lockstep" "${slow[@]}" --run-dir both --set training.epochs=100000
  wait_for_steps both 5
  local first=$job first_out=$out first_err=$err
  out=$out.second err=$err.second
  lockstep "${slow[@]}" --run-dir both
  assert_failed_with 73 "process $first on host '$(uname -n)'"
  # The first one continues, and stops when asked.
  out=$first_out err=$first_err
  kill -USR1 "$first"
  finish 30
  assert_equal "$status" 75
  assert_not_exists both/LOCK
}

@test "resume: --resume CHECKPOINT continues in another run directory" {
  lockstep "${short[@]}" --run-dir short
  assert_success
  assert_dir_exists short/checkpoints/step-000100
  lockstep "${short[@]}" --run-dir branch --resume short/checkpoints/step-000100
  assert_success
  assert_line --regexp '^resuming after step 100 '
  assert_same_weights short branch
}

@test "resume: the same command with --resume CHECKPOINT resumes what it began" {
  lockstep "${short[@]}" --run-dir short
  assert_success
  local branch=("${short[@]}" --resume short/checkpoints/step-000100)
  local directory
  for directory in "" "--run-dir branch"; do
    # shellcheck disable=SC2086 # Two words, or none.
    lockstep "${branch[@]}" $directory --max-steps 110
    assert_success
    # shellcheck disable=SC2086
    lockstep "${branch[@]}" $directory
    assert_success
    assert_line --regexp '^resuming after step 110 '
  done
  assert_same_weights short branch
  # Another checkpoint begins another run, which does not fit into this directory.
  lockstep "${short[@]}" --run-dir other --max-steps 40
  lockstep "${short[@]}" --run-dir branch --resume other
  assert_failed_with 73 'has checkpoints of a run'
}

@test "resume: a missing checkpoint is an error, and makes no run directory (66)" {
  lockstep "${short[@]}" --run-dir run --resume nowhere
  assert_failed_with 66 "no checkpoint at 'nowhere'"
  assert_not_exists run
}
