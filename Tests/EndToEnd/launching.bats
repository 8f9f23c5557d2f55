#!/usr/bin/env bats
# lockstep launch on one host: ranks that are killed or stopped, mistakes, and requests to stop.
# shellcheck disable=SC2016,SC2154 # Stand-ins expand their scripts; lockstep.bash sets the variables.

load lockstep

# A run of some seconds whose weights are the same on any number of ranks.
steady=("${slow[@]}" --set distributed.fixedSlices=4 --set checkpoint.everySteps=10)

# Starts ranks that train, in the background.
begin_launch() { # begin_launch RUN RANKS [OPTION-OF-LAUNCH...] -- ARGUMENT...
  needs_mpirun
  local run=$1 ranks=$2 options=()
  shift 2
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  begin "$run" "$lockstep" launch -n "$ranks" "${options[@]}" -- "${@:2}" --run-dir "$run"
  wait_for_steps "$run" 12
}

# Waits until rank zero has begun to train in an attempt.
wait_for_attempt() { # wait_for_attempt RUN NUMBER
  wait_for_line "$1/attempts.jsonl" "^\{\"event\":\"start\".*\"attempt\":$2\}"
}

# No line of standard error fits the pattern.
refute_line_of_stderr() { # refute_line_of_stderr PATTERN
  local output=$stderr lines=("${stderr_lines[@]}")
  refute_line --regexp "$1"
}

# The last launch made one attempt.
refute_restart() { refute_line_of_stderr '^note: attempt 2'; }

# A stand-in for a program, on the PATH of `with_stand_ins`.
stand_in() { # stand_in NAME <<<SCRIPT
  mkdir -p bin
  { echo '#!/usr/bin/env bash' && cat; } >"bin/$1"
  chmod +x "bin/$1"
  with_stand_ins=(env "PATH=$PWD/bin:$PATH")
}

@test "launch: --print shows the command, with the most ranks that fixed slices allow" {
  lockstep launch --print -n 4 --no-bind -- train "$digits" --max-steps 3
  assert_success
  assert_output --regexp "^mpirun -np 4 --map-by slot --bind-to none( --oversubscribe)?\
 -x OPENBLAS_NUM_THREADS=1 .*lockstep train $digits --max-steps 3\
 --set distributed.stallTimeout=120$"
  printf 'node01 slots=2\nnode02 slots=2\n' >hosts
  lockstep launch --print --hosts hosts --cores 2 --agent "my agent" --stall-timeout 5 -- \
    train "$digits"
  assert_output --partial "mpirun -np 4 --host node01:2,node02:2 --map-by slot:PE=2 --bind-to core"
  assert_output --partial " --mca plm_rsh_agent 'my agent' --mca oob_tcp_keepalive_time 5 "
  assert_output --partial " --set distributed.stallTimeout=5"
  # What the configuration says is left as it is.
  lockstep launch --print -n 1 -- train "$digits" --set distributed.stallTimeout=7
  refute_output --partial stallTimeout=120
}

@test "launch: a killed rank is named, and the run ends with the bits of an undisturbed one" {
  ranks 2 "${steady[@]}" --max-steps 80 --run-dir whole --progress none
  assert_success
  begin_launch run 2 -- "${steady[@]}" --max-steps 80 --progress none
  kill -KILL "$(process_of 1)"
  wait_for_attempt run 2
  kill -KILL "$(process_of 0)"
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits '^note: attempt 1: 2 ranks on this host$'
  assert_stderr_fits \
    '^error: attempt 1 ended after [0-9]+ s: rank 1 on [^ ]+ was ended by signal 9 \(Killed\)$'
  assert_stderr_fits '^  step [0-9]+ was the last recorded, the newest checkpoint is of step [0-9]+$'
  assert_stderr_fits "^  exit code 137, all messages are in 'run/errors/launch-[0-9a-f]+-1.log'$"
  assert_stderr_fits '^note: attempt 2: 2 ranks on this host, resuming from step [0-9]+$'
  assert_stderr_fits '^error: attempt 2 ended .*: rank 0 on .* signal 9'
  assert_stderr_fits '^note: attempt 3: '
  assert_same_weights whole run
  assert_logs_every_step run 80
  # The attempts are on record.
  assert_one_line run/attempts.jsonl '"event":"launch".*"attempt":1,.*"exitCode":137,"cause":"rank 1 on'
  assert_one_line run/attempts.jsonl '"event":"launch".*"attempt":3,.*"exitCode":0,"cause":null'
  lockstep report run
  assert_success
  assert_file_contains run/report.html 'was ended by signal 9'
}

@test "launch: without a run directory it resumes in the one that train has chosen" {
  needs_mpirun
  begin runs "$lockstep" launch -n 2 -- "${slow[@]}" --max-steps 120 --progress none --resume never
  local run step
  wait_for_file 'runs/digits-mlp/*/checkpoints/latest'
  kill -KILL "$(process_of 1)"
  finish 240
  assert_equal "$status" 0
  # Of its checkpoints the newest.
  step=$(sed -n 's/^  step .*, the newest checkpoint is of step //p' "$err")
  assert_equal $((step > 0 ? step % 20 : 1)) 0
  assert_stderr_fits "^note: attempt 2: .*resuming from step $step$"
  run=$(compgen -G 'runs/digits-mlp/*')
  assert_equal "$(wc -l <<<"$run")" 1
  assert_logs_every_step "$run" 120
}

@test "launch: a stopped rank of four ends the attempt (83), which is repeated" {
  begin_launch run 4 --stall-timeout 8 -- "${steady[@]}" --max-steps 40 --progress none
  kill -STOP "$(process_of 2)"
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits '^error: no progress for 8 s on .*: rank 2 on .* is stopped'
  assert_stderr_fits \
    '^error: attempt 1 ended .*: no progress for 8 s: rank 2 on .* it is stopped \(SIGSTOP\)$'
  assert_stderr_fits '^  exit code 83, '
  assert_stderr_fits '^note: attempt 2: 4 ranks '
  assert_logs_every_step run 40
}

@test "launch: an attempt in which no rank begins to train is ended and repeated" {
  local mpirun seconds=10
  needs_mpirun
  mpirun=$(command -v mpirun)
  stand_in mpirun <<SCRIPT
if [[ "\$*" == *" LOCKSTEP_LAUNCH="*/1" "* ]]; then exec sleep 1000; fi
exec "$mpirun" "\$@"
SCRIPT
  begin run "${with_stand_ins[@]}" "$lockstep" launch -n 2 --start-timeout $seconds -- "${slow[@]}" \
    --set training.epochs=6000 --run-dir run --progress none
  wait_for_steps run 2
  # From here on the limit means nothing.
  sleep $((seconds + 1))
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
  assert_stderr_fits \
    "^error: attempt 1 ended after [0-9]+ s: no rank has begun to train within $seconds s \\(--start-timeout\\)"
  assert_stderr_fits '^  exit code 83'
  assert_stderr_fits '^note: attempt 2: '
  refute_line_of_stderr '^(error: attempt 2|note: attempt 3)'
  lockstep launch -n 2 --start-timeout 5 -- doctor
  assert_failed_with 64 '--start-timeout is for train only'
}

@test "launch: what would fail again is not restarted" {
  needs_mpirun
  lockstep launch -n 2 -- train "$digits" --set training.epoch=3
  assert_failed_with 78 "unknown key 'training.epoch'"
  lockstep launch -n 2 -- train "$digits" --set data.kind=csv --set data.path=none.csv
  assert_failure 66
  assert_stderr_fits '^note: attempt 1: '
  assert_stderr_fits '^note: not restarted: exit code 66 means that an input file does not exist'
  refute_restart
}

@test "launch: gives up when attempts get no further" {
  stand_in mpirun <<<'echo "[here:1] a message" >&2; exit 137'
  launch "${with_stand_ins[@]}" "$lockstep" launch -n 2 -- "${slow[@]}" --run-dir run
  assert_failure 137
  assert_stderr_fits '^note: attempt 3: '
  assert_stderr_fits '^note: not restarted: 3 attempts in a row ended at step 0'
  # Where there is no run directory yet, the launcher's messages are shown.
  assert_stderr_fits '^\[here:1\] a message'
  launch "${with_stand_ins[@]}" "$lockstep" launch -n 2 --restarts 0 -- "${slow[@]}"
  assert_failure 137
  assert_stderr_fits '^note: not restarted: --restarts is 0'
  refute_restart
}

@test "launch: in a Slurm job srun starts the ranks, without nodes that are down" {
  stand_in scontrol <<<'[[ "$*" == "show hostnames n[1-3]" ]] && printf "n1\nn2\nn3\n"'
  stand_in sinfo <<<'printf "n1 allocated\nn2 down*\nn3 allocated\n"'
  stand_in srun <<'SCRIPT'
if [[ $1 == --mpi=list ]]; then echo "MPI plugin types are... pmix" >&2; exit; fi
echo "threads $OPENBLAS_NUM_THREADS, attempt ${LOCKSTEP_LAUNCH#*/}:" "$@"
SCRIPT
  local in_slurm=("${with_stand_ins[@]}" SLURM_JOB_ID=7 "SLURM_JOB_NODELIST=n[1-3]"
    "SLURM_TASKS_PER_NODE=2(x3)" SLURM_CPUS_PER_TASK=3 "$lockstep" launch)
  launch "${in_slurm[@]}" -- train "$digits" --run-dir run
  assert_success
  assert_output --regexp "^threads 3, attempt 1: --mpi=pmix --kill-on-bad-exit=1 --nodes=2 --ntasks=4\
 --ntasks-per-node=2 --exclude=n2 --cpus-per-task=3 --cpu-bind=cores .*/lockstep train $digits"
  assert_stderr_fits '^warning: n2 is left out: Slurm says that it is down'
  # Without PMIx mpirun starts them.
  stand_in srun <<<'echo "MPI plugin types are... none" >&2'
  launch "${in_slurm[@]}" --print -- train "$digits"
  assert_output --regexp '^mpirun -np 6 --host n1:2,n2:2,n3:2 --map-by slot --bind-to none '
}

@test "launch: in a Slurm job whose sinfo fails no node is left out, and a stop ends a sinfo that hangs (75)" {
  stand_in scontrol <<<'printf "n1\nn2\n"'
  stand_in srun <<<'if [[ $1 == --mpi=list ]]; then echo pmix; else echo "started:" "$@"; fi'
  stand_in sinfo <<<'echo "Unable to contact slurm controller" >&2; exit 1'
  local in_slurm=("${with_stand_ins[@]}" SLURM_JOB_ID=7 "SLURM_JOB_NODELIST=n[1-2]"
    "SLURM_TASKS_PER_NODE=2(x2)" "$lockstep" launch)
  launch "${in_slurm[@]}" -- train "$digits" --run-dir run
  assert_success
  assert_output --regexp '^started: .* --nodes=2 --ntasks=4 '
  assert_stderr_fits "^warning: 'sinfo .*' failed: Unable to contact slurm controller; so no host is left out"
  stand_in sinfo <<<'echo asked >asked; exec sleep 1000'
  begin run "${in_slurm[@]}" -- train "$digits" --run-dir run
  wait_for_line asked asked
  kill -TERM "$job"
  finish 30
  assert_equal "$status" 75
}

# MARK: Hosts

# Writes a host file, and an agent that runs its command here.
local_hosts() { # local_hosts HOST...
  printf '%s slots=1\n' "$@" >hosts
  stand_in agent <<<'echo "$1" >>asked; shift; exec sh -c "$*"'
  on_hosts=("${with_stand_ins[@]}" "$lockstep" launch --hosts hosts --agent "$PWD/bin/agent")
}

@test "launch: a host is not left out because what it is to end has ended, nor for want of a program" {
  local on_hosts
  local_hosts node01
  stand_in mpirun <<<'echo "started:" "$@"'
  # No process can have this number.
  stand_in grep <<<'echo /proc/4194304/environ'
  stand_in hostname <<<'exit 127'
  launch "${on_hosts[@]}" -- train "$digits" --run-dir run
  assert_success
  assert_output --partial 'started: -np 1 --host node01:1'
  refute_line_of_stderr 'is left out'
}

@test "launch: this host is not asked by the agent, with or without its domain" {
  local on_hosts name
  name=$(uname -n)
  if [[ $name == *.* ]]; then name=${name%%.*}; else name=$name.cluster; fi
  local_hosts "$name"
  stand_in mpirun <<<'exit 0'
  launch "${on_hosts[@]}" -- train "$digits" --run-dir run
  assert_success
  assert_not_exists asked
}

@test "launch: one computer under two names is refused (65)" {
  [[ -r /proc/sys/kernel/random/boot_id ]] || skip "the kernel does not tell when it started"
  local on_hosts
  local_hosts node01 node02
  launch "${on_hosts[@]}" -- train "$digits" --run-dir run
  assert_failed_with 65 'node01 and node02 are one computer'
}

# The agent reaches its host until the first attempt has failed, and then not as long as the file `cut` exists.
cut_after_failure() {
  stand_in mpirun <<'SCRIPT'
if [[ ! -e failed ]]; then touch failed cut && exit 137; fi
echo "started:" "$@"
SCRIPT
  stand_in agent <<<'if [[ -e cut ]]; then exit 255; fi; shift; exec sh -c "$*"'
}

@test "launch: when all hosts fall silent they are asked again, and a stop ends the wait (75)" {
  local on_hosts
  local_hosts node01
  cut_after_failure
  begin run "${on_hosts[@]}" -- train "$digits" --run-dir run
  wait_for_line "$err" '^warning: no host answers; they are asked again in 10 s'
  rm cut
  finish 60
  assert_equal "$status" 0
  assert_output --partial 'started: -np 1 --host node01:1'
  refute_line_of_stderr 'is left out'
  rm failed
  begin run "${on_hosts[@]}" -- train "$digits" --run-dir run
  wait_for_line "$err" '^warning: no host answers; they are asked again in 10 s'
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
  assert_stderr_fits '^note: stopped before attempt 2; the same command resumes'
}

@test "launch: mistakes of the command line are refused (64)" {
  lockstep launch -n 2
  assert_failed_with 64 'give it after --'
  lockstep launch -n 2 -- trian
  assert_failed_with 64 "'trian' is no command"
  lockstep launch -n 2 -- train --epochs 3
  assert_failed_with 64 'train: Unknown option'
  lockstep launch -n 0 -- train
  assert_failed_with 64 '-n must be 1'
  lockstep launch --hosts none -- train
  assert_failed_with 66 "cannot read the host file 'none'"
  echo "node01 cores=3" >hosts
  lockstep launch --hosts hosts -- train
  assert_failed_with 65 "hosts:1: 'cores=3' is not known"
  printf '#!/bin/sh\nexit 1\n' >agent
  chmod +x agent
  echo "node01 slots=3" >hosts
  lockstep launch --hosts hosts --agent ./agent -- train
  assert_failed_with 74 'no host is left'
  assert_stderr_fits "^warning: node01 is left out: it does not answer './agent node01'"
}

@test "launch: other commands run once on all ranks" {
  needs_mpirun
  lockstep launch -n 2 -- doctor
  assert_success
  assert_line --regexp 'ranks +2 on 1 host'
}

@test "launch: it ends when --restarts is used up" {
  begin_launch run 2 --restarts 1 -- "${steady[@]}" --progress none
  kill -KILL "$(process_of 1)"
  wait_for_attempt run 2
  kill -KILL "$(process_of 0)"
  finish 60
  assert_equal "$status" 137
  assert_stderr_fits '^error: attempt 2 ended .*: rank 0 on .* signal 9'
  assert_stderr_fits '^note: not restarted: --restarts 1 is used up'
}

# MARK: Signals

@test "launch: a stop before the first step ends the launch (75), whatever it meets" {
  local on_hosts
  local_hosts node01
  # The hosts are asked.
  stand_in agent <<<'echo asked >asked; sleep 3; shift; exec sh -c "$*"'
  begin run "${on_hosts[@]}" -- "${slow[@]}" --run-dir run
  wait_for_line asked asked
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
  assert_stderr_fits '^note: stopped before attempt 1; the same command resumes'
  refute_line_of_stderr '^note: attempt 1'
  # A launcher that does not listen yet, but has started a process that its end does not end.
  stand_in mpirun <<'SCRIPT'
for word; do if [[ $word == LOCKSTEP_LAUNCH=* ]]; then export "${word?}"; fi; done
(
  # As mpirun does for its ranks.
  for file in /proc/self/fd/*; do
    if ((${file##*/} > 2)); then eval "exec ${file##*/}>&-"; fi
  done
  exec setsid sleep 1000
) &
echo $! >rank
echo started >started
exec sleep 1000
SCRIPT
  begin run "${with_stand_ins[@]}" "$lockstep" launch -n 2 -- "${slow[@]}" --run-dir run
  wait_for_line started started
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
  assert_stderr_fits '^note: stopped before the first step'
  local deadline=$((SECONDS + 30))
  while [[ -e /proc/$(<rank)/exe ]]; do
    ((SECONDS <= deadline)) || { kill -KILL "$(<rank)" && fail "the launch leaves a process"; }
    sleep 0.1
  done
  # A launcher that has no ranks yet to pass the first request on to.
  stand_in mpirun <<'SCRIPT'
trap 'if [[ -e first ]]; then exit 75; fi; touch first' USR1
echo started >started
while true; do sleep 0.1; done
SCRIPT
  rm started
  begin run "${with_stand_ins[@]}" "$lockstep" launch -n 2 -- "${slow[@]}" --run-dir run
  wait_for_line started started
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
}

@test "launch: HUP does nothing under nohup" {
  needs_mpirun
  begin run nohup "$lockstep" launch -n 2 -- "${slow[@]}" --run-dir run --progress none
  wait_for_steps run 5
  kill -HUP "$job"
  wait_for_steps run $(($(last_step run) + 10))
  kill -TERM "$job"
  finish 60
  assert_equal "$status" 75
  refute_restart
}

@test "launch: TERM, HUP, USR1 and Ctrl-C save a checkpoint and stop (75); USR2 saves and continues" {
  local signal
  for signal in TERM HUP USR1 INT; do
    # There is no checkpoint but those that are asked for.
    begin_launch "$signal" 2 -- "${slow[@]}" --progress none --set checkpoint.everySteps=100000
    if [[ $signal == TERM ]]; then
      kill -USR2 "$job"
      wait_for_file TERM/checkpoints/latest
      wait_for_steps TERM $(($(last_step TERM) + 2))
    fi
    kill "-$signal" "$job"
    finish 60
    assert_equal "$status" 75
    assert_exists "$(weights "$signal")"
    refute_restart
    assert_no_process_is_left
  done
  assert_equal "$(compgen -G 'TERM/checkpoints/step-*' | wc -l)" 2
  # The same command resumes.
  lockstep launch -n 2 -- "${slow[@]}" --run-dir INT --max-steps 40
  assert_success
  assert_logs_every_step INT 40
}

@test "launch: a second Ctrl-C stops at once (130), and a killed launch leaves no rank" {
  begin_launch run 2 -- "${slow[@]}" --progress none
  # Ranks that cannot save.
  kill -STOP "$(process_of 0)" "$(process_of 1)"
  kill -INT "$job"
  wait_for_line "$err" 'press Ctrl-C again'
  kill -INT "$job"
  finish 60
  assert_equal "$status" 130
  limit=30 assert_no_process_is_left

  command -v setpriv >/dev/null || skip "there is no setpriv"
  begin_launch run 2 -- "${slow[@]}" --progress none
  kill -KILL "$job"
  finish 10
  limit=30 assert_no_process_is_left
}
