#!/usr/bin/env bats
# Ranks that do not get on: stopped, ended in the middle, started with another command, or without
# shared memory.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# The process of a rank that `begin` started.
process_of() { # process_of RANK
  local process
  for process in $(processes); do
    if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1"; then
      echo "$process"
    fi
  done
}

# Starts two ranks that train, with seconds for the warning and the timeout.
begin_two() { # begin_two RUN WARNING TIMEOUT [ARGUMENT...]
  needs_mpirun
  begin "$1" "${mpirun[@]}" 2 "$lockstep" "${slow[@]}" --run-dir "$1" \
    --set distributed.stallWarning="$2" --set distributed.stallTimeout="$3" "${@:4}"
  wait_for_steps "$1" 5
}

@test "stalls: a stopped rank is named, and the job ends with 83 and the state of each rank" {
  begin_two run 1 4
  kill -STOP "$(process_of 1)"
  finish 60
  assert_equal "$status" 83
  assert_stderr_fits '^warning: no progress for [1-3] s on .*: rank 1 on .* is stopped \(SIGSTOP\)'
  assert_stderr_fits '^  rank 0 \(process [0-9]+\): step [0-9]+, [a-z ]+, waits in .* for rank 1$'
  assert_stderr_fits '^  the job ends after 4 s \(distributed.stallTimeout\)'
  assert_stderr_fits '^error: no progress for 4 s on .*: rank 1 on .* is stopped'
  assert_one_line run/errors/rank-0.json '"waitsFor":"[^"]+".*"processState":"[RS]"'
  assert_one_line run/errors/rank-1.json '"exitCode":83.*"processState":"T"'
  assert_no_process_is_left
  # The same command resumes.
  ranks 2 "${slow[@]}" --run-dir run --max-steps 40
  assert_success
  assert_logs_every_step run 40
}

@test "stalls: a stopped rank zero is noticed too" {
  begin_two run 1 3
  kill -STOP "$(process_of 0)"
  finish 60
  assert_equal "$status" 83
  assert_stderr_fits '^error: no progress for 3 s on .*: rank 0 on .* is stopped'
  assert_no_process_is_left
}

@test "stalls: a rank that continues in time carries on, and so do ranks that were all stopped" {
  ranks 2 "${slow[@]}" --run-dir whole --max-steps 120
  begin_two run 1 5 --max-steps 120
  local process
  process=$(process_of 1)
  kill -STOP "$process"
  wait_for_line "$err" '^warning: no progress for '
  kill -CONT "$process"
  sleep 0.5
  # Longer than the timeout, but nobody was there to wait.
  for process in $(processes); do kill -STOP "$process"; done
  sleep 7
  for process in $(processes); do kill -CONT "$process"; done
  finish 60
  assert_equal "$status" 0
  assert_stderr_fits '^warning: no progress for .*: rank 1 on .* is stopped'
  assert_same_weights whole run
}

@test "stalls: a long evaluation is not a stall" {
  ranks 2 "${slow[@]}" --run-dir run --max-steps 3 --set distributed.stallTimeout=0.5 \
    --set distributed.stallWarning=0.5 --set training.evaluateEverySteps=1
  assert_success
}

@test "stalls: a rank that calls exit(0) in the middle is noticed at once (70)" {
  needs_mpirun
  local compiler
  compiler=$(command -v cc || command -v clang) || skip "there is no C compiler"
  # A thread of the rank that exits two seconds after its start, whatever the rank does then.
  cat >exits.c <<'C'
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static void *run(void *unused) { sleep(2); exit(0); }
__attribute__((constructor)) static void start(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, NULL);
}
C
  "$compiler" -shared -fPIC -pthread -o exits.so exits.c
  # Longer than two seconds on any processor.
  local long=("${slow[@]}" --set training.epochs=100000)
  begin run mpirun --oversubscribe -np 1 "$lockstep" "${long[@]}" --run-dir run \
    : -np 1 env LD_PRELOAD="$PWD/exits.so" "$lockstep" "${long[@]}" --run-dir run
  finish 60
  assert_equal "$status" 70
  assert_stderr_fits 'rank 1 on .*: this rank has called exit\(0\) in the middle of the run'
  assert_no_process_is_left
}

@test "stalls: ranks with different commands are refused, with who runs what (81)" {
  copy_trained_run
  needs_mpirun
  launch mpirun --oversubscribe -np 1 "$lockstep" "${short[@]}" --run-dir run \
    : -np 1 "$lockstep" eval trained
  assert_failed_with 81 'ranks do not agree'
  assert_stderr_fits "command: 'lockstep train' on rank 0 .*, 'lockstep eval' on rank 1 "
  assert_not_exists run
}

@test "stalls: ranks in PID namespaces of their own train without shared memory, with a warning" {
  needs_mpirun
  (($(id -u) == 0)) || skip "PID namespaces need root"
  unshare --pid --fork --mount-proc true 2>/dev/null || skip "PID namespaces are not allowed here"
  lockstep "${short[@]}" --run-dir one
  # Open MPI's own shared memory crashes where two processes have the same number.
  launch env OMPI_MCA_btl=self,tcp "${mpirun[@]}" 2 \
    unshare --pid --fork --kill-child --mount-proc "$lockstep" "${short[@]}" --run-dir two
  assert_success
  assert_one_line "$err" '^warning: ranks 0, 1 run on one host but cannot share memory'
  assert_line --regexp '^ranks +2 on 2 nodes'
  assert_same_losses one two
}

# Prints what the evaluations of a run measured, without times and memory.
evaluations() { # evaluations RUN
  sed -n '/"kind":"eval"/s/,"time".*//p' "$1/metrics.jsonl"
}

@test "stalls: a stop ends an evaluation, and the resumed run repeats it" {
  local run=("${slow[@]}" --max-steps 24 --set training.evaluateEverySteps=12
    --set training.globalBatch=16 --set "model.hidden=[2048, 2048, 2048]")
  needs_mpirun
  ranks 2 "${run[@]}" --run-dir whole
  assert_success
  begin run "${mpirun[@]}" 2 "$lockstep" "${run[@]}" --run-dir run
  wait_for_steps run 12
  kill -USR1 "$job"
  finish 90
  assert_equal "$status" 75
  ranks 2 "${run[@]}" --run-dir run
  assert_success
  assert_same_weights whole run
  # Each evaluation is recorded once, with the same values.
  assert_equal "$(grep -c '"kind":"eval"' run/metrics.jsonl)" 2
  diff <(evaluations whole) <(evaluations run)
}

@test "stalls: a stop while the data is opened ends the run at once (75)" {
  yes 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,1 | head -n 2000000 >samples.csv
  begin run "$lockstep" train --set data.kind=csv --set data.path=samples.csv --run-dir run
  # It opens the file when it listens to signals.
  local deadline=$((SECONDS + 60))
  until [[ -n $(find "/proc/$job/fd" -lname '*samples.csv' 2>/dev/null) ]]; do
    ((SECONDS <= deadline)) || fail "it does not open its data"
    sleep 0.01
  done
  kill -USR1 "$job"
  finish 5
  assert_equal "$status" 75
  assert_stderr_fits 'stopped before the first step'
  assert_not_exists run/checkpoints
}
