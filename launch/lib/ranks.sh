# shellcheck shell=bash
# What the scripts that start several processes share: the program, the signals, and Slurm's queue.
# Sourced, never run.

# shellcheck source=launch/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# shellcheck disable=SC2154 # setup.sh says where the root is.
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
    fail 77 "mpirun does not run as root: use another account. In a container that has only root:" \
      "  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  fi
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
  echo "stopping: a checkpoint is saved first; Ctrl-C again to stop at once" >&2
  trap 'signal_launcher TERM' INT
  stop INT
}

# Runs mpirun or srun, and returns its exit code.
#
# mpirun kills its processes two seconds after a TERM or INT, too soon for a checkpoint, but hands
# USR1 on to them at once, as srun does. Job control gives it a process group of its own, so that
# a Ctrl-C reaches this script only.
run_launcher() { # run_launcher COMMAND...
  local signals_before status
  set -m
  "$@" </dev/null &
  job=$!
  trap 'stop TERM' TERM
  trap 'stop USR1' USR1
  trap 'stop HUP' HUP
  trap interrupt INT

  # A trapped signal ends `wait` early, with a status that is not the launcher's: then wait again.
  while true; do
    signals_before=$signals
    status=0
    wait "$job" || status=$?
    ((signals == signals_before)) && return "$status"
  done
}

# MARK: Slurm

require_slurm_job() { # require_slurm_job SCRIPT
  [[ -n ${SLURM_JOB_ID-} ]] ||
    fail 64 "this is a script for Slurm, and this is no Slurm job. Submit it:" \
      "  sbatch --ntasks 4 launch/$1 CONFIG [OPTION...]"
}

# Ends the job; if its processes have saved a checkpoint because the time is over, or another job
# has taken their place, it goes back into the queue, and the same command goes on from there.
finish_slurm_job() { # finish_slurm_job STATUS
  if (($1 == 75)); then
    if [[ $first_signal == TERM ]]; then
      echo "job $SLURM_JOB_ID was cancelled with a checkpoint saved; submit it again to go on" >&2
    elif scontrol requeue "$SLURM_JOB_ID"; then
      echo "job $SLURM_JOB_ID goes back into the queue" >&2
    else
      echo "warning: job $SLURM_JOB_ID could not be requeued; submit it again to go on" >&2
    fi
  fi
  exit "$1"
}
