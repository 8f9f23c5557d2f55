#!/usr/bin/env bats
# Runs that resume on other numbers of ranks.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# Runs to each of some steps on a random number of ranks.
in_parts() {
  local step ranks
  renew ''
  for step in "$@" 12; do
    ranks=$((1 << RANDOM % 3))
    launcher=()
    if ((ranks > 1)); then launcher=("${mpirun[@]}" "$ranks"); fi
    launch "${launcher[@]}" "$lockstep" "${tiny[@]}" --max-steps "$step" --run-dir run
    [[ $status == 0 ]] || return
  done
  same_newest_weights whole run && assert_logs_every_step run 12
}

@test "ranks: a run in parts, each on 1, 2 or 4 ranks, has the bits of a whole one" {
  needs_mpirun
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
  local i steps
  for ((i = 0; i < $(size 1 15); i++)); do
    steps=($((1 + RANDOM % 5)) $((6 + RANDOM % 6)))
    try "parts to ${steps[*]} and 12" in_parts "${steps[@]}"
  done
  report "resume on other numbers of ranks"
}
