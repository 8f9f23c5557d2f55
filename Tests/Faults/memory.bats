#!/usr/bin/env bats
# Memory and open files over many steps.
# shellcheck disable=SC2154 # Variables are shared with faults.bash.

load faults

# Trains some steps, and sets `peak` to the most memory in KiB and `files` to the most open files. What is
# read last comes at most 20 ms before the end.
train_and_watch() { # train_and_watch STEPS
  begin run "$lockstep" "${tiny[@]}" --set training.steps="$1" \
    --set checkpoint.everySteps=500 --set training.evaluateEverySteps=500 --run-dir "run-$1"
  local now
  peak=0 files=0
  while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$job/status" 2>/dev/null) &&
    [[ -n $now ]]; do
    peak=$now
    now=$(find "/proc/$job/fd" -mindepth 1 2>/dev/null | wc -l)
    if ((now > files)); then files=$now; fi
    sleep 0.02
  done
  finish 60
  ((status == 0 && $(last_step "run-$1") == $1))
}

stays_flat() { # stays_flat FEW MANY
  train_and_watch "$1" || return
  local few=$peak few_files=$files
  train_and_watch "$2" || return
  echo "# $1 steps: $few KiB, $few_files files; $2 steps: $peak KiB, $files files" >&3
  ((peak - few < 3072 && files < few_files + 10))
}

@test "memory: steps, evaluations, checkpoints and logs leave nothing behind" {
  try "many steps" stays_flat 3000 "$(size 30000 300000)"
  report "memory and open files over many steps"
}
