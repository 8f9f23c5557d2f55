# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # Variables are shared with the tests and the libraries.
# What the end-to-end tests are written with: launches of the built `lockstep` command, alone and on
# several ranks, and assertions about what it prints and leaves.

load ../bats

lockstep=$BATS_SUITE_TMPDIR/lockstep
digits=$root/configs/digits-mlp.yaml
out=$BATS_TEST_TMPDIR/out
err=$BATS_TEST_TMPDIR/err
job=
mpirun=(mpirun --oversubscribe -np)

# There may be more ranks than cores: a waiting rank must yield its core.
export TERM=xterm OMPI_MCA_mpi_yield_when_idle=1
unset "${!OPENBLAS_@}" "${!OMPI_COMM_@}" "${!LOCKSTEP_@}" NO_COLOR COLUMNS

# A run of 120 short steps, and one whose steps are slow enough to interrupt.
short=(train "$digits" --set training.epochs=6 --set training.globalBatch=72
  --set checkpoint.everySteps=20 --set checkpoint.keep=2)
slow=(train "$digits" --set "model.hidden=[768, 512]" --set training.globalBatch=180
  --set training.epochs=60 --set checkpoint.everySteps=20 --set distributed.threadsPerRank=1)

# Each test starts in an empty folder.
setup() {
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return
  # Killed ranks leave their shared memory behind: here it is deleted with the test's files.
  export TMPDIR=$BATS_TEST_TMPDIR OMPI_MCA_btl_vader_backing_directory=$BATS_TEST_TMPDIR
}

# Each test, also one of errors or killed ranks, must leave no process.
teardown() {
  # After a failure bats prints the last output; this is the command.
  echo "last launch: ${launched[*]-} (exit code ${status-})"
  assert_no_process_is_left || { end_processes && return 1; }
}

# MARK: Launches

# Runs a command to its end, for at most 240 s, or as many as `limit` says. Sets `status`, and what
# `read_output` sets.
launch() { # launch COMMAND...
  launched=("$@")
  status=0
  timeout -k 5 "${limit-240}" "$@" </dev/null >"$out" 2>"$err" 3>&- || status=$?
  read_output
}

# Sets `output` and `lines` to the standard output of the last launch, `stderr` and `stderr_lines`
# to its standard error, as `run --separate-stderr` does.
read_output() {
  output=$(<"$out")
  stderr=$(<"$err")
  mapfile -t lines <"$out"
  mapfile -t stderr_lines <"$err"
}

lockstep() { launch "$lockstep" "$@"; } # lockstep ARGUMENT...

needs_mpirun() {
  command -v mpirun >/dev/null || skip "there is no mpirun"
}

# Runs the command on several ranks, which may be more than there are cores.
ranks() { # ranks COUNT ARGUMENT...
  needs_mpirun
  launch "${mpirun[@]}" "$1" "$lockstep" "${@:2}"
}

# Copies the run that setup_suite trained to `trained`.
copy_trained_run() { cp -r "$BATS_SUITE_TMPDIR/trained" .; }

# Starts a command that trains, in the background; `finish` waits for its end.
begin() { # begin RUN COMMAND...
  last=$(last_step "$1")
  shift
  launched=("$@")
  # Who reads them at once must not find those of the launch before.
  : >"$out"
  : >"$err"
  "$@" </dev/null >"$out" 2>"$err" 3>&- &
  job=$!
}

# Waits for what `begin` started, and kills it after SECONDS. Sets what `launch` sets.
finish() { # finish SECONDS
  local deadline=$((SECONDS + $1))
  while kill -0 "$job" && ((SECONDS <= deadline)); do sleep 0.1; done
  if kill -0 "$job"; then
    end_processes
    wait "$job" || true
    status="none after $1 s"
  else
    status=0
    wait "$job" || status=$?
  fi
  read_output
} 2>/dev/null # Bash would print which of its jobs were killed.

# Waits until the run that `begin` started has logged COUNT steps more than before, for at most 90 s.
wait_for_steps() { # wait_for_steps RUN COUNT
  local deadline=$((SECONDS + 90)) step
  while ((SECONDS <= deadline)); do
    step=$(last_step "$1")
    if ((${step:-0} >= ${last:-0} + $2)); then return; fi
    kill -0 "$job" 2>/dev/null || break
    sleep 0.02
  done
  fail "$1 does not reach step $((${last:-0} + $2))"
}

# Waits until a line of a file fits the pattern, for at most 90 s.
wait_for_line() { # wait_for_line FILE PATTERN
  local deadline=$((SECONDS + 90))
  until grep -Eqs -e "$2" "$1"; do
    ((SECONDS <= deadline)) || fail "no line of $1 fits '$2'"
    sleep 0.05
  done
}

# Waits until a file exists, for at most 90 s.
wait_for_file() { # wait_for_file PATTERN
  local deadline=$((SECONDS + 90))
  until compgen -G "$1" >/dev/null; do
    ((SECONDS <= deadline)) || fail "there is no file '$1'"
    sleep 0.05
  done
}

# The number of the last step that a run has logged.
last_step() { # last_step RUN
  sed -n 's/^{"kind":"step","step":\([0-9]*\),.*/\1/p' "$1/metrics.jsonl" 2>/dev/null | tail -n 1
}

# MARK: Processes

# Prints the processes that run the tests' copy of the command.
processes() {
  find -L /proc/[0-9]*/exe -maxdepth 0 -samefile "$lockstep" 2>/dev/null | cut -d / -f 3
}

# Prints the process of a rank under mpirun.
process_of() { # process_of RANK
  local process
  for process in $(processes); do
    if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1"; then
      echo "$process"
    fi
  done
} 2>/dev/null

end_processes() {
  local process
  for process in $(processes) $job; do
    kill -KILL "$process" 2>/dev/null || true
  done
}

# The process of rank zero, which holds the run's lock.
holder() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$1/LOCK"; } # holder RUN

# Waits for the processes to end, for at most 5 s, or as many as `limit` says.
assert_no_process_is_left() {
  local deadline=$((SECONDS + ${limit-5}))
  while ((SECONDS <= deadline)); do
    if [[ -z $(processes) ]]; then return; fi
    sleep 0.1
  done
  fail "processes are left: $(processes)"
}

# MARK: Assertions about the last launch

# The command failed with one message of ours, and a line of it fits the pattern.
assert_failed_with() { # assert_failed_with CODE PATTERN
  assert_failure "$1"
  assert_one_line "$err" '^[Ee]rror: '
  assert_stderr_fits "$2"
}

# A line of standard error fits the pattern.
assert_stderr_fits() { # assert_stderr_fits PATTERN
  local output=$stderr lines=("${stderr_lines[@]}")
  assert_line --regexp "$1"
}

refute_stderr_at_all() {
  local output=$stderr
  refute_output
}

# The launch warned of nothing, except that its ranks are more than the cores, or use few of many:
# that depends on the machine.
assert_warns_of_cores_only() {
  local output
  output=$(grep -Ev '^warning: [^ ]+: .*(mpirun -np|start [0-9]+ or fewer)' "$err" || true)
  refute_output
}

# MARK: Assertions about files

# Exactly one line of the file fits the pattern.
assert_one_line() { # assert_one_line FILE PATTERN
  local count
  count=$(grep -Ec -e "$2" "$1") || true
  [[ $count == 1 ]] || fail "$count lines of $1 fit '$2'; expected: 1"
}

assert_line_count() { # assert_line_count FILE COUNT
  assert_equal "$(wc -l <"$1")" "$2"
}

# MARK: Assertions about runs

# The losses of a run, one `STEP LOSS` per line, in the order of the log.
losses() { # losses RUN
  sed -n 's/^{"kind":"step","step":\([0-9]*\),.*"loss":\([^,]*\),.*/\1 \2/p' "$1/metrics.jsonl"
}

# The log has each step from the first to the last once, in order.
assert_logs_every_step() { # assert_logs_every_step RUN COUNT
  losses "$1" | awk -v count="$2" '$1 != NR { bad = 1 } END { exit bad || NR != count }' ||
    fail "$1/metrics.jsonl does not have the steps 1 to $2, each once and in order"
}

# Two runs have the same steps, and at each the same loss but for rounding.
assert_same_losses() { # assert_same_losses RUN RUN
  paste -d ' ' <(losses "$1") <(losses "$2") | awk '
    function magnitude(x) { return x < 0 ? -x : x }
    $1 != $3 || magnitude($2 - $4) > 1e-5 * magnitude($2) { print "differs:", $0; bad = 1; exit }
    END { exit bad || NR == 0 }' || fail "$1 and $2 do not have the same losses"
}

# The weights of a run's newest checkpoint.
weights() { echo "$1/checkpoints/$(<"$1/checkpoints/latest")/model.safetensors"; } # weights RUN

# Two runs have the same weights, bit for bit.
assert_same_weights() { # assert_same_weights RUN RUN
  cmp "$(weights "$1")" "$(weights "$2")"
}

# The validation accuracy at the end of the log is at least the bound.
assert_accuracy() { # assert_accuracy RUN BOUND
  tail -n 1 "$1/metrics.jsonl" | sed -n 's/^{"kind":"eval".*"accuracy":\([^,]*\),.*/\1/p' |
    awk -v bound="$2" '{ exit $1 < bound } END { if (NR == 0) exit 1 }' ||
    fail "$1 does not end with an accuracy of $2 or more"
}
