#!/usr/bin/env bats
# Requests to stop, at every step and while a checkpoint is written.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# SIGUSR1 is 10, SIGINT 2, SIGTERM 15.

# Is asked to stop when it logs a line, stops with a checkpoint, and resumes.
stopped() { # stopped RANKS TARGET SIGNAL LINE
  renew ''
  fault run CALLS=write PATH=metrics.jsonl "ACTION=signal=$3" "TARGET=$2" "AT=$4"
  rm -f pids/*
  launcher=()
  if (($1 > 1)); then launcher=("${mpirun[@]}" "$1"); fi
  launch "${launcher[@]}" "${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run
  # After the last step there is nothing left to stop.
  [[ $status == 75 || ($status == 0 && $4 -ge $((lines_of_log - 2))) ]] || return
  [[ $(newest_step run) -ge $(last_step run) ]] || return
  resumes_to whole 12 "${tiny[@]}"
}

make_whole() {
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
  lines_of_log=$(wc -l <whole/metrics.jsonl)
}

@test "signals: INT, TERM and USR1 at any step save a checkpoint, and the run resumes" {
  make_whole
  local line signals=(10 2 15)
  for line in $(chosen "$lines_of_log" 4); do
    try "signal ${signals[line % 3]} at line $line" stopped 1 0 "${signals[line % 3]}" "$line"
  done
  report "stop request at a step"
}

@test "signals: USR1 to mpirun or to one rank stops all at one step" {
  needs_mpirun
  make_whole
  local line targets=(mpirun 0 1)
  for line in $(chosen "$lines_of_log" 3); do
    try "USR1 to ${targets[line % 3]} at line $line" stopped 2 "${targets[line % 3]}" 10 "$line"
  done
  report "stop request to ranks"
}

# Gets the signal at a call of a commit, and at all that follow: a second INT or TERM ends the process.
stopped_while_saving() { # stopped_while_saving SIGNAL CALL
  renew ''
  fault run PATH=.step- "ACTION=signal=$1" "AT=$2" STAYS=1
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run
  # With the last call all steps may be done.
  [[ $status == 75 || $status == 0 || $1 != 10 && $status == $((128 + $1)) ]] || return
  launcher=()
  resumes_to whole 12 "${tiny[@]}"
}

@test "signals: while a checkpoint is written they damage none" {
  make_whole
  list_calls '' '' "${tiny[@]}"
  local call saving signals=(10 15 2)
  saving=$(printf '%s\n' "${calls[@]}" | grep -c '\.step-')
  for call in $(chosen "$saving" 4); do
    try "signal ${signals[call % 3]} from call $call of commits on" \
      stopped_while_saving "${signals[call % 3]}" "$call"
  done
  report "stop requests during a commit"
}
