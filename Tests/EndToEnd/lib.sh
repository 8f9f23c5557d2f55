# shellcheck shell=bash disable=SC2154
# What the end-to-end tests are written with: launches, what can be said about them, and the count
# of what held. Sourced, never run. The script that sources it says what
# $lockstep (the command) and $work (a folder to fill) are.

passed=0
failed=0
skipped=0
status=
job=
mpirun=(mpirun --oversubscribe -np)

# MARK: Checks

# Runs the command `CONDITION...` and reports whether it held; after a failure, the last launch.
check() { # check NAME CONDITION...
  if "${@:2}"; then
    echo "ok - $1"
    passed=$((passed + 1))
  else
    echo "not ok - $1"
    failed=$((failed + 1))
    {
      echo "condition: ${*:2}"
      echo "launch: ${launched[*]-}"
      echo "exit code: ${status-}"
      tail -n 15 "$work/out" | sed 's/^/out: /'
      tail -n 15 "$work/err" | sed 's/^/err: /'
    } | cut -c 1-400 | sed 's/^/  # /'
  fi
}

skip() { # skip NAME REASON
  echo "skipped - $1: $2"
  skipped=$((skipped + 1))
}

# All conditions of a list hold; they are separated by `--`.
all() { # all CONDITION... [-- CONDITION...]...
  local condition=()
  while (($# > 0)); do
    if [[ $1 == -- ]]; then
      "${condition[@]}" || return 1
      condition=()
    else
      condition+=("$1")
    fi
    shift
  done
  "${condition[@]}"
}

exits() { [[ $status == "$1" ]]; }                        # exits CODE
prints() { grep -Eq -e "$1" "$work/out"; }                # prints PATTERN
warns() { grep -Eq -e "$1" "$work/err"; }                 # warns PATTERN
says_once() { [[ $(grep -Ec -e "$2" "$work/$1") == 1 ]]; } # says_once out|err PATTERN
without() { ! "$@"; }                                     # without CONDITION...
same_bytes() { cmp -s "$1" "$2"; }                        # same_bytes FILE FILE
is_empty_folder() { [[ -z $(ls -A "$1") ]]; }             # is_empty_folder FOLDER

# The last launch warned of nothing, except that its ranks are more than the cores, or have few of
# many: that depends on the machine.
warns_of_nothing_but_cores() {
  ! grep -Ev '^warning: [^ ]+: .*(mpirun -np|start [0-9]+ or fewer)' "$work/err" | grep -q .
}

# The last launch failed with one message of ours that fits the pattern.
failed_with() { # failed_with CODE PATTERN
  exits "$1" && says_once err '^[Ee]rror: ' && grep -Eq -e "$2" "$work/err"
}

# MARK: Launches

# Runs a command to its end; leaves `status`, $work/out and $work/err.
launch() { # launch COMMAND...
  launched=("$@")
  status=0
  timeout -k 5 90 "$@" </dev/null >"$work/out" 2>"$work/err" || status=$?
}

run() { launch "$lockstep" "$@"; } # run ARGUMENT...

# Runs the command on several ranks, which may be more than there are cores.
ranks() { # ranks COUNT ARGUMENT...
  launch "${mpirun[@]}" "$1" "$lockstep" "${@:2}"
}

# Starts a command that trains and goes on; `finish` waits for it.
begin() { # begin RUN COMMAND...
  last=$(last_step "$1")
  shift
  launched=("$@")
  "$@" </dev/null >"$work/out" 2>"$work/err" &
  job=$!
}

# Waits for what `begin` started, as long as is allowed, and leaves its `status`.
finish() { # finish SECONDS
  local deadline=$((SECONDS + $1))
  while kill -0 "$job" && ((SECONDS <= deadline)); do sleep 0.1; done
  if kill -0 "$job"; then
    end_processes
    wait "$job"
    status="none after $1 s"
  else
    status=0
    wait "$job" || status=$?
  fi
} 2>/dev/null # Bash would tell which of its jobs were killed.

# The number of the last step that a run has logged.
last_step() { # last_step RUN
  sed -n 's/^{"kind":"step","step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" 2>/dev/null | tail -n 1
}

# Waits until the run that `begin` started has come some steps further than the one before it.
wait_for_steps() { # wait_for_steps RUN COUNT
  local tries step
  for ((tries = 0; tries < 1500; tries++)); do
    step=$(last_step "$1")
    if ((${step:-0} >= ${last:-0} + $2)); then return; fi
    kill -0 "$job" 2>/dev/null || break
    sleep 0.02
  done
  check "$1 comes $2 steps further than ${last:-0}" false
}

# MARK: Processes

# Prints the processes that run the command: its file is a copy that nobody else runs.
processes() {
  local program process
  for program in /proc/[0-9]*/exe; do
    if [[ $program -ef $lockstep ]]; then
      process=${program#/proc/}
      echo "${process%/exe}"
    fi
  done
}

none_is_left() {
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    [[ -z $(processes) ]] && return
    sleep 0.1
  done
  return 1
}

end_processes() {
  local process
  for process in $(processes) "${job-}"; do
    kill -KILL "$process" 2>/dev/null
  done
}

# The process of rank zero, which holds the run's lock.
holder() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$1/LOCK"; } # holder RUN

# MARK: What runs leave

# The losses of a run, one `STEP LOSS` per line, in the order of the log.
losses() { # losses RUN
  sed -n 's/^{"kind":"step","step":\([0-9]*\),.*"loss":\([^,]*\),.*/\1 \2/p' "$1/metrics.jsonl"
}

# The log has each step from the first to the last once, in order.
logs_every_step() { # logs_every_step RUN COUNT
  losses "$1" | awk -v count="$2" '$1 != NR { bad = 1 } END { exit bad || NR != count }'
}

# Two runs have the same steps, and at each the same loss but for rounding.
same_losses() { # same_losses RUN RUN
  paste -d ' ' <(losses "$1") <(losses "$2") | awk '
    function magnitude(x) { return x < 0 ? -x : x }
    $1 != $3 || magnitude($2 - $4) > 1e-5 * magnitude($2) { print "differs:", $0; bad = 1; exit }
    END { exit bad || NR == 0 }'
}

# The weights of a run's newest checkpoint.
weights() { echo "$1/checkpoints/$(<"$1/checkpoints/latest")/model.safetensors"; } # weights RUN

same_weights() { same_bytes "$(weights "$1")" "$(weights "$2")"; } # same_weights RUN RUN

# The test accuracy that the log ends with reaches a bound.
reaches() { # reaches RUN ACCURACY
  tail -n 1 "$1/metrics.jsonl" | sed -n 's/^{"kind":"eval".*"accuracy":\([^,]*\),.*/\1/p' |
    awk -v bound="$2" '{ exit $1 < bound } END { if (NR == 0) exit 1 }'
}
