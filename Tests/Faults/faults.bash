# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # Variables are shared with the tests and with lockstep.bash.
# What the fault tests are written with: faults at chosen system calls, and counts of trials.
#
# FAULTS_TIER, FAULTS_SEED and FAULTS_RANDOM are the options of `launch/test faults`; the counts go into
# the file FAULTS_COUNTS.

load ../EndToEnd/lockstep

tier=${FAULTS_TIER:-sample}
RANDOM=${FAULTS_SEED:-1}
trials=0
survived=0

# A run of 12 short steps with a checkpoint after every second one. Its weights have the same bits on
# 1, 2 and 4 ranks.
tiny=(train "$digits" --set "model.hidden=[8]" --set training.globalBatch=360
  --set training.epochs=3 --set checkpoint.everySteps=2 --set checkpoint.keep=1
  --set distributed.fixedSlices=4)

# MARK: Trials

# Prints the first number in the sample, the second one in the full tier.
size() { # size SAMPLE FULL
  if [[ $tier == full ]]; then echo "$2"; else echo "$1"; fi
}

# Prints the numbers 1 to COUNT: all in the full tier, else about SAMPLE, evenly spread.
chosen() { # chosen COUNT SAMPLE
  local step=1
  if [[ $tier != full ]]; then step=$((($1 + $2 - 1) / $2)); fi
  seq $((1 + RANDOM % step)) "$step" "$1"
}

# Counts a trial; the command says whether it was survived.
try() { # try DESCRIPTION COMMAND...
  trials=$((trials + 1))
  if "${@:2}"; then
    survived=$((survived + 1))
  else
    echo "NOT SURVIVED: $1 (last exit code ${status-none})"
    tail -n 4 "$out" "$err" 2>/dev/null
  fi
}

# Ends a test: notes the counts, and fails unless every trial was survived.
report() { # report FAULT
  note_counts "$1" "$trials" "$survived"
  ((trials > 0)) || fail "no trial was made"
  ((survived == trials)) || fail "$1: survived $survived of $trials trials"
}

note_counts() { # note_counts FAULT TRIALS SURVIVED
  printf '%s\t%s\t%s\n' "$@" >>"${FAULTS_COUNTS:-$BATS_SUITE_TMPDIR/counts}"
}

# Skips a test, and notes why.
skip_fault() { # skip_fault FAULT REASON
  note_counts "$1" - "skipped: $2"
  skip "$2"
}

# MARK: Faults

# Sets `faulty` to what stands before a command to put a fault into it. Settings are those of
# preload.c, without FAULT_.
fault() { # fault DIRECTORY SETTING=VALUE...
  mkdir -p pids
  faulty=(env "LD_PRELOAD=$BATS_SUITE_TMPDIR/preload.so" "FAULT_DIR=$(pwd -P)/$1"
    "FAULT_PIDS=$(pwd -P)/pids")
  shift
  faulty+=("${@/#/FAULT_}")
}

# Sets `calls` to the calls in RUN that change the disk (or those of the functions in KINDS), in order,
# when the command is run on a copy of BEFORE, or on nothing. Each is a function and a path.
list_calls() { # list_calls BEFORE KINDS ARGUMENT...
  rm -rf listed log
  if [[ -n $1 ]]; then cp -r "$1" listed; fi
  fault listed "LOG=$(pwd -P)/log" ${2:+"CALLS=$2"}
  launch "${faulty[@]}" "$lockstep" "${@:3}" --run-dir listed
  assert_success
  mapfile -t calls < <(cut -f 2-3 log)
  assert [ "${#calls[@]}" -gt 0 ]
}

# MARK: Runs

# Makes `run` a copy of a run, or removes it where there is none.
renew() { # renew BEFORE
  rm -rf run
  if [[ -n $1 ]]; then cp -r "$1" run; fi
}

# The newest checkpoints of both runs have the same weights, bit for bit.
same_newest_weights() { # same_newest_weights RUN RUN
  cmp "$(printf '%s\n' "$1"/checkpoints/step-* | tail -n 1)/model.safetensors" \
    "$(printf '%s\n' "$2"/checkpoints/step-* | tail -n 1)/model.safetensors"
}

# The command ends with the weights of REFERENCE, bit for bit, and with every step in the log. What
# stands in `launcher` runs it.
launcher=()
resumes_to() { # resumes_to REFERENCE COUNT ARGUMENT...
  launch "${launcher[@]}" "$lockstep" "${@:3}" --run-dir run
  [[ $status == 0 ]] && same_newest_weights "$1" run && assert_logs_every_step run "$2"
}

# The number of the newest checkpoint that can be used.
newest_step() { # newest_step RUN
  "$lockstep" checkpoint info "$1" 2>/dev/null | sed -n 's/^step  *//p'
}

# The last launch ended with a documented exit code, and with one error if that is not 0.
ended_cleanly() { # ended_cleanly CODE...
  local code
  for code in "$@"; do
    if [[ $status != "$code" ]]; then continue; fi
    if ((code == 0 || code == 75)); then return; fi
    assert_one_line "$err" '^[Ee]rror: '
    return
  done
  return 1
}
