#!/usr/bin/env bats
# Losses of power: every state in which a commit can leave the disk.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# A checkpoint of step OLD or NEW can be used, and the run continues from it to the same bits.
state_resumes() { # state_resumes STATE OLD NEW
  local step
  step=$(newest_step "$1")
  [[ $step == "$2" || $step == "$3" ]] || return
  # Resuming takes longer: it is tried on every tenth state.
  (($1 % 10 == 1)) || return 0
  renew "$1"
  launch "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
  # The log of metrics is not synchronized: it may lack steps.
  ((status == 0)) && same_newest_weights whole run
}

@test "crash states: whatever a loss of power leaves of a commit, the old or the new checkpoint loads" {
  lockstep "${tiny[@]}" --max-steps 2 --run-dir before
  lockstep "${tiny[@]}" --max-steps 6 --run-dir whole
  assert_success
  mkdir data states
  cp -r before run
  fault run "LOG=$(pwd -P)/log" "DATA=$(pwd -P)/data"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --max-steps 4 --run-dir run
  assert_success
  run "$BATS_SUITE_TMPDIR/crash-states" before log data "$(pwd -P)/run" states \
    "$(size 40 100000)" "${FAULTS_SEED:-1}"
  assert_success
  assert_output --regexp '^[0-9]{3,} [0-9]+$'
  local state count=${output#* }
  cp -r whole states
  cd states
  for ((state = 1; state <= count; state++)); do
    try "state $state" state_resumes "$state" 2 4
  done
  report "loss of power"
}
