#!/usr/bin/env bats
# launch/pbs.sh, launch/lsf.sh and launch/flux.sh.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2154 # sandbox.bash sets `sandbox`, `binary` and `digits`.

load sandbox

# Adds the built command, and three schedulers. What they are given to run is in the file `job`.
add_schedulers() {
  add_build
  printf 'node1\nnode1\nnode2\nnode2\n' >nodes
  stand_in mpirun <<<'exit "${MPIRUN_EXIT:-0}"'
  local command
  for command in qsub bsub; do
    stand_in "$command" <<<'cat >job; chmod +x job; echo "18.server"; exit "${SUBMIT_EXIT:-0}"'
  done
  stand_in qrerun <<<'exit "${REQUEUE_EXIT:-0}"'
  stand_in brequeue <<<'exit "${REQUEUE_EXIT:-0}"'
  stand_in qstat <<<'printf "Job Id: %s\n    Resource_List.ncpus = 8\n    Resource_List.walltime = %s\n" "$2" "$WALLTIME"'
  stand_in flux <<'TEXT'
case "$*" in
  "getattr jobid") [[ -n ${FLUX_TEST_JOB-} ]] && echo "$FLUX_TEST_JOB" ;;
  "resource list"*) printf '%s\n' 2 6 0 ;;
  "job timeleft") echo "${FLUX_TEST_TIME:-infinity}" ;;
  *batch*) cat >job; chmod +x job; echo f3Xyz ;;
  run*) exit "${MPIRUN_EXIT:-0}" ;;
esac
TEXT
  stand_in ompi_info <<<'echo "MCA pmix: flux (MCA v2.1.0)"'
  export WALLTIME=04:00:00
  unset LD_LIBRARY_PATH LOCKSTEP_MODULES
}

# Runs a command in the environment of job 17 of each scheduler.
in_pbs() { PBS_JOBID=17.server PBS_NODEFILE=$sandbox/nodes "$@"; }
in_lsf() { LSB_JOBID=17 LSB_JOBINDEX=0 LSB_DJOB_HOSTFILE=$sandbox/nodes "$@"; }
in_flux() { FLUX_TEST_JOB=ƒ2Ug "$@"; }

# MARK: Submission

submits_itself() { # submits_itself SCHEDULER "COMMAND" DIRECTIVE
  add_schedulers
  cp "$digits" "my digits.yaml"
  launch "$1.sh" --cores 2 -N 2 -q "long jobs" -- "my digits.yaml" --set "a=b c"
  assert_success
  assert_called "$2 -N 2 -q long jobs"
  refute_called "mpirun "
  run cat job
  assert_line --index 0 "#!/bin/bash"
  assert_line "$3"
  assert_line "exec $PROJECT/launch/$1.sh --cores 2 -N 2 -q long\\ jobs -- my\\ digits.yaml --set a=b\\ c"

  # The job finds its folder and its arguments.
  stand_in mpirun <<<'printf "[%s]" "$@"; echo "in $PWD"'
  sed -i 's/^  run\*) .*/  run*) printf "[%s]" "$@"; echo "in $PWD" ;;/' bin/flux
  mkdir elsewhere
  cp job elsewhere
  cd elsewhere || return
  in_"$1" run env PATH="$BIN:$tools" ./job
  assert_success
  assert_output --partial "[$binary][train][my digits.yaml][--set][distributed.threadsPerRank=2]"
  assert_output --partial "[--set][a=b c]"
  assert_output --partial "in $sandbox"
}

@test "pbs: submits itself" { submits_itself pbs qsub "#PBS -r y"; }
@test "lsf: submits itself, with a signal before the run limit" { submits_itself lsf bsub "#BSUB -wa USR1"; }
@test "flux: submits itself" { submits_itself flux "flux batch" "#flux: --job-name=lockstep"; }

@test "jobs: a failed submission has the code of the scheduler" {
  add_schedulers
  SUBMIT_EXIT=3 launch pbs.sh -- "$digits"
  assert_failure 3
  SUBMIT_EXIT=255 launch lsf.sh -- "$digits"
  assert_failure 255
}

# MARK: Ranks

@test "pbs: starts the ranks on the job's nodes" {
  add_schedulers
  in_pbs launch pbs.sh --cores 4 -- "$digits" --max-steps 3
  assert_success
  assert_called "mpirun --hostfile $sandbox/nodes --bind-to none -x OPENBLAS_NUM_THREADS=4\
 -x LOCKSTEP_JOB -x LOCKSTEP_JOB_START $binary train $digits --set distributed.threadsPerRank=4\
 --run-dir runs/pbs-17 --max-time 14280 --max-steps 3"
  refute_called "qsub"
  refute_called "qrerun"
}

@test "lsf: starts the ranks on the job's hosts" {
  add_schedulers
  in_lsf launch lsf.sh -- "$digits" --max-steps 3
  assert_success
  assert_called "mpirun --hostfile $sandbox/nodes --bind-to none -x OPENBLAS_NUM_THREADS=1\
 -x LOCKSTEP_JOB -x LOCKSTEP_JOB_START $binary train $digits --set distributed.threadsPerRank=1\
 --run-dir runs/lsf-17 --max-steps 3"
  LSB_JOBID=17 LSB_MCPU_HOSTS="node1 2 node2 4 " launch lsf.sh -- "$digits"
  assert_called --partial "mpirun --host node1:2,node2:4 --bind-to none"
  LSB_JOBID=17 launch lsf.sh -- "$digits"
  assert_failure 66
  assert_output --partial "cannot read LSB_DJOB_HOSTFILE"
}

@test "flux: starts as many ranks as there are cores for" {
  add_schedulers
  in_flux launch flux.sh --cores 2 -- "$digits" --max-steps 3
  assert_success
  assert_called "flux run -n 4 -c 2 -o cpu-affinity=per-task $binary train $digits\
 --set distributed.threadsPerRank=2 --run-dir runs/flux-f2Ug --max-steps 3"
  in_flux launch flux.sh --cores 9 -- "$digits"
  assert_failure 64
  assert_output --partial "the job has 8 cores, too few for --cores 9"
  stand_in ompi_info <<<'echo "MCA pmix: pmix3x"'
  in_flux launch flux.sh -- "$digits"
  assert_called --partial "flux run -n 8 -c 1 -o cpu-affinity=per-task -o pmi=pmix $binary train"
}

@test "jobs: mpirun uses the scheduler's way to other hosts, unless another is set" {
  add_schedulers
  stand_in pbs_tmrsh <<<''
  stand_in blaunch <<<''
  in_pbs launch pbs.sh -- "$digits"
  assert_called --partial "mpirun --hostfile $sandbox/nodes --mca plm_rsh_agent pbs_tmrsh --bind-to"
  in_lsf launch lsf.sh -- "$digits"
  assert_called --partial "mpirun --hostfile $sandbox/nodes --mca plm_rsh_agent blaunch --bind-to"
  OMPI_MCA_plm_rsh_agent=ssh in_pbs launch pbs.sh -- "$digits"
  refute_called "plm_rsh_agent"
}

@test "jobs: the time limit leaves time for a checkpoint, unless the command line has one" {
  add_schedulers
  WALLTIME=00:03:20 in_pbs launch pbs.sh -- "$digits"
  assert_called --partial "--max-time 100"
  in_pbs launch pbs.sh -- "$digits" --max-time 50:00
  assert_called --partial "--run-dir runs/pbs-17 --max-time 50:00"
  PBS_WALLTIME=600 in_pbs launch pbs.sh -- "$digits"
  assert_called --partial "--max-time 480"
  FLUX_TEST_TIME=600 in_flux launch flux.sh -- "$digits"
  assert_called --partial "--max-time 480"
  WALLTIME=none in_pbs launch pbs.sh -- "$digits"
  assert_success
  assert_output --partial "does not say the walltime of job 17.server: pass --max-time"
  refute_called "max-time"
}

# MARK: Run directories

@test "jobs: each job, and each task of an array, has a run directory of its own" {
  add_schedulers
  PBS_JOBID='17[3].server' PBS_ARRAY_INDEX=3 PBS_NODEFILE=nodes launch pbs.sh -- "$digits" \
    --set 'training.seed={task}'
  assert_called --partial "--run-dir runs/pbs-17_3 --max-time 14280 --set training.seed=3"
  PBS_JOBID=17-4.server PBS_ARRAYID=4 PBS_NODEFILE=nodes launch pbs.sh -- "$digits"
  assert_called --partial "--run-dir runs/pbs-17_4 "
  LSB_JOBID=17 LSB_JOBINDEX=5 LSB_DJOB_HOSTFILE=nodes launch lsf.sh -- "$digits" --run-dir "r-{task}"
  assert_called --partial "distributed.threadsPerRank=1 --run-dir r-5"
  LSB_JOBID=18 LSB_JOBINDEX=5 LSB_DJOB_HOSTFILE=nodes launch lsf.sh -- "$digits"
  assert_called --partial "--run-dir runs/lsf-18_5"
  # The same job again, after it was requeued.
  in_lsf launch lsf.sh -- "$digits"
  assert_called --partial "--run-dir runs/lsf-17"
  in_lsf launch lsf.sh -- "$digits" --run-dir=mine
  assert_called --partial "distributed.threadsPerRank=1 --run-dir=mine"
  refute_called "runs/lsf"
}

@test "jobs: the tasks of an array may not share a run directory" {
  add_schedulers
  LSB_JOBID=17 LSB_JOBINDEX=5 LSB_DJOB_HOSTFILE=nodes launch lsf.sh -- "$digits" --run-dir mine
  assert_failure 64
  assert_output --partial "all tasks of this job array have the same --run-dir"
  in_lsf launch lsf.sh -- "$digits" --set "training.seed={task}"
  assert_failure 64
  assert_output --partial "this job is no job array"
  refute_called "mpirun "
}

@test "jobs: a job tells Lockstep which it is, and when it was started" {
  add_schedulers
  stand_in mpirun <<<'echo "$LOCKSTEP_JOB at $LOCKSTEP_JOB_START"'
  local before=$EPOCHSECONDS scheduler
  for scheduler in pbs lsf; do
    in_"$scheduler" launch "$scheduler.sh" -- "$digits"
    assert_line --regexp "^$scheduler-17 at [0-9]+$"
    (($(sed -n 's/.* at //p' <<<"$output") >= before))
  done
}

# MARK: The queue

@test "jobs: requeue after 75, and only then" {
  add_schedulers
  local code scheduler
  for code in 0 1 80 143; do
    for scheduler in pbs lsf flux; do
      MPIRUN_EXIT=$code in_"$scheduler" launch "$scheduler.sh" -- "$digits"
      assert_equal "$status" "$code"
      refute_called requeue
      refute_called qrerun
      refute_called batch
    done
  done
  MPIRUN_EXIT=75 in_pbs launch pbs.sh -- "$digits"
  assert_failure 75
  assert_called "qrerun 17.server"
  refute_called qsub
  MPIRUN_EXIT=75 in_lsf launch lsf.sh -- "$digits"
  assert_failure 75
  assert_called "brequeue 17"
  MPIRUN_EXIT=75 LSB_JOBID=17 LSB_JOBINDEX=5 LSB_DJOB_HOSTFILE=nodes launch lsf.sh -- "$digits"
  assert_called "brequeue 17[5]"
}

@test "pbs: submits the job again, with its run directory, where qrerun is not allowed" {
  add_schedulers
  export MPIRUN_EXIT=75 REQUEUE_EXIT=1
  PBS_JOBID='17[3].server' PBS_ARRAY_INDEX=3 PBS_NODEFILE=nodes \
    launch pbs.sh -l select=2 -J 1-8 -q long -- "$digits" --set "training.seed={task}"
  assert_failure 75
  assert_called "qsub -l select=2 -q long"
  run cat job
  assert_line "exec $PROJECT/launch/pbs.sh --cores 1 -l select=2 -q long -- $digits\
 --run-dir runs/pbs-17_3 --set training.seed=3"
  # Also of an array that is given in one word.
  local array
  for array in -J1-8 -t1-8%2; do
    PBS_JOBID='17[3].server' PBS_ARRAY_INDEX=3 PBS_NODEFILE=nodes \
      launch pbs.sh "$array" -l select=2 -- "$digits" --set "training.seed={task}"
    assert_failure 75
    assert_called "qsub -l select=2"
  done
  PBS_JOBID=18.server PBS_NODEFILE=nodes launch ../../job
  assert_called --partial "--run-dir runs/pbs-17_3 --set training.seed=3"
  SUBMIT_EXIT=1 in_pbs launch pbs.sh -- "$digits"
  assert_failure 75
  assert_output --partial "could not be requeued; submit it again to resume, with --run-dir runs/pbs-17"
}

@test "flux: submits the job again, with its run directory" {
  add_schedulers
  MPIRUN_EXIT=75 in_flux launch flux.sh -N 2 -- "$digits" --max-steps 9
  assert_failure 75
  assert_called "flux --parent batch -N 2"
  run cat job
  assert_line "exec $PROJECT/launch/flux.sh --cores 1 -N 2 -- $digits --run-dir runs/flux-f2Ug --max-steps 9"
}

@test "pbs: USR1 saves and requeues" {
  add_schedulers
  add_saving_launcher mpirun
  in_pbs signal_to USR1 project/launch/pbs.sh -- "$digits"
  assert_failure 75
  assert_output --partial saved
  assert_called "qrerun 17.server"
}

@test "lsf: a cancelled job saves where it can, and is not requeued" {
  add_schedulers
  add_saving_launcher mpirun
  in_lsf signal_to "INT TERM" project/launch/lsf.sh -- "$digits"
  assert_failure 75
  assert_output --partial "job 17 was cancelled and saved a checkpoint"
  refute_called brequeue
}

@test "flux: a signal goes to the ranks through flux job kill" {
  add_schedulers
  stand_in flux <<'TEXT'
case "$*" in
  "getattr jobid") echo f2Ug ;;
  "resource list"*) echo 2 ;;
  "job last") echo f9 ;;
  "job kill --signal=SIGUSR1 f9") touch "$BIN/launcher-saves" ;;
  run*)
    touch "$BIN/launcher-runs"
    for ((i = 0; i < 100; i++)); do [[ ! -e $BIN/launcher-saves ]] || exit 75; sleep 0.1; done
    ;;
esac
TEXT
  signal_to USR1 project/launch/flux.sh -- "$digits"
  assert_failure 75
  assert_called "flux job kill --signal=SIGUSR1 f9"
  assert_called "flux --parent batch"
}

# MARK: Errors

@test "jobs: refuse what they cannot use, before they submit" {
  add_schedulers
  local script
  for script in pbs.sh lsf.sh flux.sh; do
    launch "$script"
    assert_failure 64
    launch "$script" -n 4 "$digits"
    assert_failure 64
    assert_output --partial "launch/$script [--cores N] [SIZE...] -- CONFIG [OPTION...]"
    launch "$script" --cores two -- "$digits"
    assert_failure 64
    assert_output --partial "--cores takes a number of cores, not 'two'"
    launch "$script" -- no-config
    assert_failure 66
    assert_output --partial "cannot read the configuration 'no-config'"
  done
  PBS_JOBID=17 PBS_NODEFILE=nowhere launch pbs.sh -- "$digits"
  assert_failure 66
  assert_output --partial "cannot read PBS_NODEFILE, 'nowhere'"
  rm bin/{qsub,bsub,flux}
  for script in pbs.sh lsf.sh flux.sh; do
    launch "$script" -- "$digits"
    assert_failure 69
    assert_output --partial "on the PATH"
  done
  rm "$binary"
  for script in pbs.sh lsf.sh flux.sh; do
    launch "$script" -- "$digits"
    assert_failure 69
    assert_output --partial "-c release --product lockstep"
  done
}
