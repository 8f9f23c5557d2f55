#!/usr/bin/env bats
# Processes that are killed: at every system call that changes the disk, and at random.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# Runs to step STEP from BEFORE, is killed at a call, and resumes.
killed() { # killed BEFORE STEP ACTION CALL
  renew "$1"
  fault run "ACTION=$3" "AT=$4"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --max-steps "$2" --run-dir run
  [[ $status == 137 ]] || return
  # The checkpoint from which it started is still there, or the next one is.
  if [[ -n $1 ]]; then (($(newest_step run) >= $2 - 2)) || return; fi
  resumes_to "after-$2" "$2" "${tiny[@]}" --max-steps "$2" || return
  # Nothing is left of the killed process.
  [[ -z $(find run -name '.*.tmp*' -path '*/checkpoints/*') ]]
}

@test "kills: at any call that changes the disk, a run resumes to the same bits" {
  local step before call
  for step in 2 4; do
    lockstep "${tiny[@]}" --max-steps "$step" --run-dir "after-$step"
    assert_success
  done
  # The first checkpoint of a run; then a resume, the next checkpoint and the removal of the first.
  for step in 2 4; do
    before=${step#2}
    before=${before:+after-2}
    list_calls "$before" '' "${tiny[@]}" --max-steps "$step"
    for call in $(chosen "${#calls[@]}" 6); do
      try "kill at call $call to step $step: ${calls[call - 1]}" killed "$before" "$step" kill "$call"
      if [[ ${calls[call - 1]} == write* ]]; then
        try "half a write at call $call to step $step: ${calls[call - 1]}" \
          killed "$before" "$step" torn "$call"
      fi
    done
  done
  report "kill at a system call"
}

# Kills rank VICTIM, or mpirun, when rank zero makes a call; then resumes on OTHER ranks.
killed_rank() { # killed_rank RANKS VICTIM CALL OTHER
  renew ''
  fault run ACTION=signal=9 "TARGET=$2" "AT=$3"
  rm -f pids/*
  local -a job=("${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run)
  if (($1 > 1)); then job=("${mpirun[@]}" "$1" "${job[@]}"); fi
  launch "${job[@]}"
  assert_no_process_is_left || return
  launcher=()
  if (($4 > 1)); then launcher=("${mpirun[@]}" "$4"); fi
  resumes_to whole 12 "${tiny[@]}"
}

@test "kills: of random ranks, and of mpirun, at random times: a run resumes to the same bits" {
  needs_mpirun
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
  list_calls '' '' "${tiny[@]}"
  local i ranks victim call other
  for ((i = 0; i < ${FAULTS_RANDOM:-$(size 4 60)}; i++)); do
    ranks=$((1 << i % 3))
    victim=$((RANDOM % (ranks + (ranks > 1))))
    if ((victim == ranks)); then victim=mpirun; fi
    call=$((1 + RANDOM % ${#calls[@]}))
    other=$((1 << RANDOM % 3))
    try "kill of $victim of $ranks at call $call (${calls[call - 1]}), then $other ranks" \
      killed_rank "$ranks" "$victim" "$call" "$other"
  done
  report "kill of a random rank"
}
