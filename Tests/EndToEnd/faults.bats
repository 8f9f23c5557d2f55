#!/usr/bin/env bats
# Ranks that are stopped or killed, and resume.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "faults: ranks that were stopped and killed resume to the weights of a run that was not" {
  local run=("${slow[@]}" --set "model.hidden=[512, 256]" --max-steps 460)
  ranks 2 "${run[@]}" --run-dir whole
  assert_success
  assert_logs_every_step whole 460

  # USR1 to mpirun stops all ranks with a checkpoint.
  local broken=("${mpirun[@]}" 2 "$lockstep" "${run[@]}" --run-dir broken)
  begin broken "${broken[@]}"
  wait_for_steps broken 30
  kill -USR1 "$job"
  finish 30
  assert_equal "$status" 75
  assert_no_process_is_left

  # A killed rank ends the job within 10 s.
  begin broken "${broken[@]}"
  wait_for_steps broken 40
  local process rank_zero
  rank_zero=$(holder broken)
  for process in $(processes); do
    if [[ $process != "$rank_zero" ]]; then kill -KILL "$process"; fi
  done
  finish 10
  assert [ "$status" -gt 0 ]
  assert_no_process_is_left

  # A killed mpirun leaves no rank behind.
  begin broken "${broken[@]}"
  wait_for_steps broken 20
  kill -KILL "$job"
  finish 10
  assert_no_process_is_left

  # On as many ranks it resumes to the same bits, on 3 to the same losses but for rounding.
  cp -r broken broken3
  ranks 2 "${run[@]}" --run-dir broken
  assert_success
  assert_line --regexp '^resuming after step'
  assert_same_weights whole broken
  assert_logs_every_step broken 460
  ranks 3 "${run[@]}" --run-dir broken3
  assert_success
  assert_line --regexp '^resuming after step'
  assert_same_losses whole broken3
}
