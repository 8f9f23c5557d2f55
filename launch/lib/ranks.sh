# shellcheck shell=bash
# Functions of the scripts that start several ranks: the checks, the signals, and Slurm's queue.
# Sourced, never run.

# shellcheck source=launch/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# shellcheck disable=SC2154 # setup.sh sets `root`.
binary=$root/.build/release/lockstep

require_config() { # require_config CONFIG
  [[ -r $1 ]] || fail 66 "cannot read the configuration '$1'."
}

require_binary() {
  [[ -x $binary ]] || fail 69 "there is no $binary yet. Build it:" \
    "  swift build --package-path $(printf '%q' "$root") -c release --product lockstep"
}

require_mpirun() {
  command -v mpirun >/dev/null || fail 69 "there is no mpirun on the PATH: install Open MPI."
  if (($(id -u) == 0)) &&
    [[ -z ${OMPI_ALLOW_RUN_AS_ROOT-} || -z ${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM-} ]]; then
    fail 77 "mpirun does not run as root: use another account. In a container with root only:" \
      "  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  fi
}

# Sets `forwarded`, mpirun's options for the environment of ranks: on another node a rank inherits
# only what -x names (and OMPI_MCA_...).
forward_environment() { # forward_environment THREADS
  forwarded=(-x "OPENBLAS_NUM_THREADS=$1")
  if [[ -n ${LD_LIBRARY_PATH-} ]]; then forwarded+=(-x LD_LIBRARY_PATH); fi
}

# MARK: Signals

job=
signals=0
first_signal=

# shellcheck disable=SC2317 # Called by the traps below.
signal_launcher() { # signal_launcher NAME
  signals=$((signals + 1))
  kill -s "$1" "$job" 2>/dev/null || true
}

# shellcheck disable=SC2317
stop() { # stop SIGNAL
  first_signal=${first_signal:-$1}
  signal_launcher USR1
}

# shellcheck disable=SC2317
interrupt() {
  echo "saving a checkpoint, then stopping; press Ctrl-C again to stop at once" >&2
  trap 'signal_launcher TERM' INT
  stop INT
}

# Runs mpirun or srun, and returns its exit code. TERM, HUP, USR1 and INT make the ranks save a
# checkpoint and stop.
#
# mpirun kills its ranks two seconds after a TERM or INT, too soon for a checkpoint, but forwards
# USR1 to them, as srun does. Job control gives it its own process group, so that Ctrl-C reaches
# only this script.
run_launcher() { # run_launcher COMMAND...
  local signals_before status
  set -m
  "$@" </dev/null &
  job=$!
  trap 'stop TERM' TERM
  trap 'stop USR1' USR1
  trap 'stop HUP' HUP
  trap interrupt INT

  # A trapped signal ends `wait` early, with a status that is not the launcher's: wait again.
  while true; do
    signals_before=$signals
    status=0
    wait "$job" || status=$?
    ((signals == signals_before)) && return "$status"
  done
}

# MARK: Slurm

# Checks what a batch script needs: a job, a configuration as first argument, the built command.
require_slurm_job() { # require_slurm_job SCRIPT ARGUMENT...
  [[ -n ${SLURM_JOB_ID-} ]] ||
    fail 64 "this is not a Slurm job. Submit the script:" \
      "  sbatch --ntasks 4 launch/$1 CONFIG [OPTION...]"
  (($# >= 2)) || fail 64 "missing configuration:" "  sbatch launch/$1 CONFIG [OPTION...]"
  require_config "$2"
  require_binary
}

# Sets `run_directory`, the options that give this job, or this task of a job array, a run directory
# of its own, where it finds its run when it was requeued. Empty where the arguments name one.
choose_run_directory() { # choose_run_directory OPTION...
  local option task=$SLURM_JOB_ID
  run_directory=()
  for option in "$@"; do
    case $option in --run-dir | --run-dir=*) return ;; esac
  done
  if [[ -n ${SLURM_ARRAY_JOB_ID-} ]]; then task=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi
  run_directory=(--run-dir "runs/slurm-$task")
}

# Ends the job. If its ranks saved a checkpoint because of the time limit or a preemption, it is
# requeued, and the same command resumes from the checkpoint.
finish_slurm_job() { # finish_slurm_job STATUS
  local how="submit it again to resume"
  if ((${#run_directory[@]})); then how+=", with ${run_directory[*]}"; fi
  if (($1 == 75)); then
    if [[ $first_signal == TERM ]]; then
      echo "job $SLURM_JOB_ID was cancelled and saved a checkpoint; $how" >&2
    elif scontrol requeue "$SLURM_JOB_ID"; then
      echo "job $SLURM_JOB_ID saved a checkpoint and is requeued" >&2
    else
      echo "warning: job $SLURM_JOB_ID could not be requeued; $how" >&2
    fi
  fi
  exit "$1"
}
