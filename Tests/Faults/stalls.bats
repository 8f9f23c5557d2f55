#!/usr/bin/env bats
# Ranks that are stopped for a while, or for good.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# SIGSTOP is 19.
continue_ranks() {
  local process
  for process in pids/*; do kill -CONT "$(<"$process")" 2>/dev/null; done
  return 0
}

# A rank stops at a call of rank zero and continues after a second.
paused() { # paused RANKS VICTIM CALL
  renew ''
  fault run ACTION=signal=19 "TARGET=$2" "AT=$3"
  rm -f pids/*
  begin run "${mpirun[@]}" "$1" "${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run
  (
    for _ in {1..300}; do
      sleep 0.1
      if grep -qs '^State:.*stopped' "/proc/$(cat "pids/$2" 2>/dev/null)/status"; then break; fi
    done
    sleep 1
    continue_ranks
  ) 3>&- &
  finish 60
  wait
  ((status == 0)) && same_newest_weights whole run && assert_logs_every_step run 12
}

@test "stalls: a rank that stops and continues changes nothing" {
  needs_mpirun
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
  list_calls '' '' "${tiny[@]}"
  local i ranks victim call
  for ((i = 0; i < $(size 2 20); i++)); do
    ranks=$((2 << i % 2))
    victim=$((RANDOM % ranks))
    call=$((1 + RANDOM % ${#calls[@]}))
    try "rank $victim of $ranks stopped at call $call (${calls[call - 1]})" \
      paused "$ranks" "$victim" "$call"
  done
  report "rank that pauses"
}

# A rank stops for good: the job ends with 83, names the rank, leaves no process, and resumes.
stalled() { # stalled RANKS VICTIM CALL
  renew ''
  fault run ACTION=signal=19 "TARGET=$2" "AT=$3"
  rm -f pids/*
  launcher=()
  launch "${mpirun[@]}" "$1" "${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run \
    --set distributed.stallWarning=1 --set distributed.stallTimeout=3
  assert_no_process_is_left || { end_processes && return 1; }
  [[ $status == 83 ]] && grep -q "rank $2 " "$err" && ls run/errors/* >/dev/null || return
  resumes_to whole 12 "${tiny[@]}"
}

@test "stalls: a rank that stops for good ends the job with 83, and the run resumes" {
  "$lockstep" config show --keys | grep -q '^distributed.stallTimeout:' ||
    skip_fault "rank that stops for good" "nothing watches for ranks that make no progress"
  needs_mpirun
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
  # After the first checkpoint, and before the last.
  list_calls '' '' "${tiny[@]}" --max-steps 4
  local i ranks victim
  for ((i = 0; i < $(size 1 10); i++)); do
    ranks=$((2 << i % 2))
    victim=$((RANDOM % ranks))
    try "rank $victim of $ranks stopped" \
      stalled "$ranks" "$victim" $((${#calls[@]} / 2 + RANDOM % (${#calls[@]} / 2)))
  done
  report "rank that stops for good"
}
