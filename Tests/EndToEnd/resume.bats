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

@test "resume: a missing checkpoint is an error, and makes no run directory (66)" {
  lockstep "${short[@]}" --run-dir run --resume nowhere
  assert_failed_with 66 "no checkpoint at 'nowhere'"
  assert_not_exists run
}
