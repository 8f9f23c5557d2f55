#!/usr/bin/env bats
# launch/slurm-mpirun.sbatch and launch/slurm-srun.sbatch.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2154 # sandbox.bash sets `sandbox`, `binary` and `digits`.

load sandbox

# Adds the built command, and a Slurm with PMIx.
add_slurm() {
  add_build
  stand_in srun <<'TEXT'
if [[ $1 == --mpi=list ]]; then
  printf 'MPI plugin types are...\n\tnone\n\t%s\n' "${SLURM_PLUGIN:-pmix}"
else
  exit "${SRUN_EXIT:-0}"
fi
TEXT
  stand_in mpirun <<<'exit "${MPIRUN_EXIT:-0}"'
  stand_in scontrol <<<'exit "${SCONTROL_EXIT:-0}"'
}

# Runs a command in the environment of job 17, submitted from the root of the checkout. Slurm runs
# a copy of the script, in a folder without the rest.
in_job() { # in_job SCRIPT COMMAND...
  mkdir -p spool
  cp "project/launch/$1" spool/slurm_script
  SLURM_JOB_ID=17 SLURM_SUBMIT_DIR=$PROJECT "${@:2}"
}

submit() { # submit SCRIPT ARGUMENT...
  in_job "$1" launch ../../spool/slurm_script "${@:2}"
}

@test "slurm: starts a rank per task and a thread per CPU" {
  add_slurm
  unset LD_LIBRARY_PATH SLURM_CPUS_PER_TASK
  submit slurm-srun.sbatch "$digits" --run-dir here
  assert_success
  assert_called "srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=1 --cpu-bind=cores\
 $binary train $digits --set distributed.threadsPerRank=1 --run-dir here"
  refute_called scontrol
  SLURM_CPUS_PER_TASK=4 submit slurm-srun.sbatch "$digits"
  assert_called --partial "--cpus-per-task=4 "
  assert_called --partial "distributed.threadsPerRank=4"
  submit slurm-mpirun.sbatch "$digits" --run-dir here
  assert_success
  assert_called "mpirun --bind-to none -x OPENBLAS_NUM_THREADS=1\
 $binary train $digits --set distributed.threadsPerRank=1 --run-dir here"
  refute_called scontrol
  LD_LIBRARY_PATH=/somewhere SLURM_CPUS_PER_TASK=4 submit slurm-mpirun.sbatch "$digits"
  assert_called "mpirun --bind-to none -x OPENBLAS_NUM_THREADS=4 -x LD_LIBRARY_PATH\
 $binary train $digits --set distributed.threadsPerRank=4 --run-dir runs/slurm-17"
}

@test "slurm: each job, and each task of an array, has a run directory, unless it names one" {
  add_slurm
  local script
  for script in slurm-mpirun.sbatch slurm-srun.sbatch; do
    submit "$script" "$digits" --set training.seed=2
    assert_called --partial " --run-dir runs/slurm-17 --set training.seed=2"
    SLURM_RESTART_COUNT=1 submit "$script" "$digits"
    assert_called --partial " --run-dir runs/slurm-17"
    SLURM_ARRAY_JOB_ID=15 SLURM_ARRAY_TASK_ID=3 submit "$script" "$digits" --set "training.seed={task}"
    assert_called --partial " --run-dir runs/slurm-15_3 --set training.seed=3"
    SLURM_ARRAY_JOB_ID=15 SLURM_ARRAY_TASK_ID=3 submit "$script" "$digits" --run-dir mine
    assert_failure 64
    assert_output --partial "all tasks of this job array have the same --run-dir"
    submit "$script" "$digits" --run-dir=mine
    assert_called --partial " --set distributed.threadsPerRank=1 --run-dir=mine"
  done
  SCONTROL_EXIT=1 SRUN_EXIT=75 submit slurm-srun.sbatch "$digits"
  assert_output --partial "submit it again to resume, with --run-dir runs/slurm-17"
}

@test "slurm: passes arguments on unchanged" {
  add_slurm
  stand_in srun <<<'[[ $1 == --mpi=list ]] && echo pmix && exit; printf "[%s]" "$@"'
  stand_in mpirun <<<'printf "[%s]" "$@"'
  cp "$digits" "my digits.yaml"
  local script
  for script in slurm-mpirun.sbatch slurm-srun.sbatch; do
    submit "$script" "my digits.yaml" --set "data.path=a folder"
    assert_output --partial "[train][my digits.yaml]"
    assert_output --partial "[--set][data.path=a folder]"
  done
}

# MARK: The queue

@test "slurm: requeues after 75, and only then" {
  add_slurm
  local code
  for code in 0 1 80 81 143; do
    SRUN_EXIT=$code submit slurm-srun.sbatch "$digits"
    assert_equal "$status" "$code"
    refute_called scontrol
    MPIRUN_EXIT=$code submit slurm-mpirun.sbatch "$digits"
    assert_equal "$status" "$code"
    refute_called scontrol
  done
  SRUN_EXIT=75 submit slurm-srun.sbatch "$digits"
  assert_failure 75
  assert_called "scontrol requeue 17"
  MPIRUN_EXIT=75 submit slurm-mpirun.sbatch "$digits"
  assert_failure 75
  assert_called "scontrol requeue 17"
}

@test "slurm: says when a job could not be requeued" {
  add_slurm
  SCONTROL_EXIT=1 SRUN_EXIT=75 submit slurm-srun.sbatch "$digits"
  assert_failure 75
  assert_output --partial "could not be requeued; submit it again to resume"
  rm bin/scontrol
  SRUN_EXIT=75 submit slurm-srun.sbatch "$digits"
  assert_failure 75
  assert_output --partial "could not be requeued; submit it again to resume"
}

saves_and_requeues() { # saves_and_requeues LAUNCHER
  add_slurm
  add_saving_launcher "$1"
  in_job "slurm-$1.sbatch" signal_to USR1 spool/slurm_script "$digits"
  assert_failure 75
  assert_output --partial saved
  assert_called "scontrol requeue 17"
}

@test "slurm: mpirun saves and is requeued before the time limit" { saves_and_requeues mpirun; }
@test "slurm: srun saves and is requeued before the time limit" { saves_and_requeues srun; }

saves_when_cancelled() { # saves_when_cancelled LAUNCHER
  add_slurm
  add_saving_launcher "$1"
  in_job "slurm-$1.sbatch" signal_to TERM spool/slurm_script "$digits"
  assert_failure 75
  assert_output --partial saved
  assert_output --partial "job 17 was cancelled and saved a checkpoint"
  refute_called scontrol
}

@test "slurm: a cancelled mpirun saves and is not requeued" { saves_when_cancelled mpirun; }
@test "slurm: a cancelled srun saves and is not requeued" { saves_when_cancelled srun; }

@test "slurm: requeues when the time limit comes while it saves" {
  add_slurm
  add_saving_launcher srun
  in_job slurm-srun.sbatch signal_to "USR1 TERM" spool/slurm_script "$digits"
  assert_failure 75
  assert_called "scontrol requeue 17"
}

# MARK: Errors

refuses_what_it_cannot_use() { # refuses_what_it_cannot_use LAUNCHER
  local script=slurm-$1.sbatch
  add_slurm
  launch "$script" "$digits"
  assert_failure 64
  assert_output --partial "this is not a Slurm job. Submit the script:"
  assert_output --partial "sbatch --ntasks 4 launch/$script CONFIG [OPTION...]"
  submit "$script"
  assert_failure 64
  assert_output --partial "sbatch launch/$script CONFIG [OPTION...]"
  submit "$script" no-config
  assert_failure 66
  assert_output --partial "cannot read the configuration 'no-config'"
  SLURM_JOB_ID=17 SLURM_SUBMIT_DIR=$sandbox launch ../../spool/slurm_script "$digits"
  assert_failure 66
  assert_output --partial "Submit this script from the root of Lockstep's checkout"
  rm "$binary"
  submit "$script" "$digits"
  assert_failure 69
  assert_output --partial "-c release --product lockstep"
  refute_called "$1"
}

@test "slurm: slurm-mpirun refuses what it cannot use" { refuses_what_it_cannot_use mpirun; }
@test "slurm: slurm-srun refuses what it cannot use" { refuses_what_it_cannot_use srun; }

@test "slurm: needs a launcher that Open MPI works with" {
  add_slurm
  SLURM_PLUGIN=pmi2 submit slurm-srun.sbatch "$digits"
  assert_failure 69
  assert_output --partial "srun has no PMIx plugin"
  assert_output --partial "Submit launch/slurm-mpirun.sbatch instead"
  refute_called "srun --mpi=pmix"
  SLURM_PLUGIN=pmix_v4 submit slurm-srun.sbatch "$digits"
  assert_success
  rm bin/mpirun
  submit slurm-mpirun.sbatch "$digits"
  assert_failure 69
  assert_output --partial "no mpirun on the PATH"
}

@test "slurm: the scripts ask for the signal and the requeueing" {
  local script
  for script in slurm-mpirun.sbatch slurm-srun.sbatch; do
    # Slurm reads the lines before the first command.
    run sed '/^set -/,$d' "project/launch/$script"
    assert_line "#SBATCH --signal=B:USR1@120"
    assert_line "#SBATCH --requeue"
  done
}
