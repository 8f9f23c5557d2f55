# shellcheck shell=bash
# Functions of the scripts that start several ranks: the checks, the signals, and batch jobs.
# Sourced, never run.

# shellcheck source=launch/lib/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# A checkout has the command where it was built; a package, which launch/package makes, in bin.
# shellcheck disable=SC2154 # setup.sh sets `root`.
binary=$root/.build/release/lockstep
if [[ -x $root/bin/lockstep ]]; then binary=$root/bin/lockstep; fi

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
# only what -x names (and OMPI_MCA_...), and finds an Open MPI that a module brought only by --prefix.
forward_environment() { # forward_environment THREADS
  local name mpirun
  forwarded=(-x "OPENBLAS_NUM_THREADS=$1")
  for name in LD_LIBRARY_PATH LOCKSTEP_JOB LOCKSTEP_JOB_START; do
    if [[ -n ${!name-} ]]; then forwarded+=(-x "$name"); fi
  done
  if [[ -n ${LOCKSTEP_MODULES-} ]] && mpirun=$(command -v mpirun); then
    forwarded=(--prefix "$(dirname "$(dirname "$mpirun")")" "${forwarded[@]}")
  fi
}

# Sets `agent`, mpirun's options to start its daemons on the other hosts by the scheduler's command,
# where there is one: ssh may be forbidden. An Open MPI that was built for the scheduler ignores them.
# shellcheck disable=SC2034 # The caller uses it.
choose_agent() { # choose_agent COMMAND
  agent=()
  if command -v "$1" >/dev/null && [[ -z ${OMPI_MCA_plm_rsh_agent-} ]]; then
    agent=(--mca plm_rsh_agent "$1")
  fi
}

# Reads a number of cores, the value of --cores.
read_cores() { # read_cores VALUE
  [[ $1 =~ ^[1-9][0-9]*$ ]] || fail 64 "--cores takes a number of cores, not '$1'."
  cores=$1
}

# MARK: Signals

launcher=
signals=0
first_signal=

# shellcheck disable=SC2317 # Called by the traps below.
signal_launcher() { # signal_launcher NAME
  signals=$((signals + 1))
  kill -s "$1" "$launcher" 2>/dev/null || true
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

# Runs mpirun, srun or flux run, and returns its exit code. TERM, HUP, USR1 and INT make the ranks save
# a checkpoint and stop; USR2 makes them save one and continue.
#
# mpirun kills its ranks two seconds after a TERM or INT, too soon for a checkpoint, but forwards
# USR1 to them, as the others do. Job control gives it its own process group, so that Ctrl-C reaches
# only this script.
run_launcher() { # run_launcher COMMAND...
  local signals_before status
  set -m
  "$@" </dev/null &
  launcher=$!
  trap 'stop TERM' TERM
  trap 'stop USR1' USR1
  trap 'stop HUP' HUP
  trap 'signal_launcher USR2' USR2
  trap interrupt INT

  # A trapped signal ends `wait` early, with a status that is not the launcher's: wait again.
  while true; do
    signals_before=$signals
    status=0
    wait "$launcher" || status=$?
    ((signals == signals_before)) && return "$status"
  done
}

# MARK: Batch jobs

# The job, as describe_job sets it.
job_id=     # what the scheduler's commands call it; empty outside of a job
job_name=   # what no other job has, and the job keeps when it is requeued: pbs-17, pbs-17_3
job_task=   # the number of this task of a job array; empty without one
time_limit=() # the option that choose_time_limit sets

# Names this job, from what the scheduler says.
#
# LOCKSTEP_JOB and LOCKSTEP_JOB_START tell Lockstep when it is a job that was requeued, whose
# processes have ended also on hosts that it cannot look at. Slurm has variables of its own for this.
describe_job() { # describe_job SCHEDULER ID NUMBER TASK
  job_id=$2
  job_task=$4
  job_name=$1-$3${4:+_$4}
  if [[ -n $job_id && $1 != slurm ]]; then
    export LOCKSTEP_JOB=$job_name LOCKSTEP_JOB_START
    printf -v LOCKSTEP_JOB_START '%(%s)T' -1
  fi
}

describe_slurm_job() {
  describe_job slurm "${SLURM_JOB_ID-}" "${SLURM_ARRAY_JOB_ID-${SLURM_JOB_ID-}}" \
    "${SLURM_ARRAY_TASK_ID-}"
}

# Checks what a script for sbatch needs: a job, a configuration as first argument, the built command.
require_slurm_job() { # require_slurm_job SCRIPT ARGUMENT...
  describe_slurm_job
  [[ -n $job_id ]] ||
    fail 64 "this is not a Slurm job. Submit the script:" \
      "  sbatch --ntasks 4 launch/$1 CONFIG [OPTION...]"
  (($# >= 2)) || fail 64 "missing configuration:" "  sbatch launch/$1 CONFIG [OPTION...]"
  require_config "$2"
  require_binary
}

# Reads the arguments of a script that submits itself: [--cores N] [SIZE...] -- CONFIG [OPTION...].
# Sets `cores`, `size` and `arguments`.
read_submission() { # read_submission ARGUMENT...
  cores=1
  size=()
  while (($#)) && [[ $1 != -- ]]; do
    if [[ $1 == --cores ]]; then
      read_cores "${2-}"
      shift
    else
      size+=("$1")
    fi
    shift
  done
  (($# >= 2)) || fail 64 "missing configuration, after '--':" \
    "  launch/${0##*/} [--cores N] [SIZE...] -- CONFIG [OPTION...]"
  arguments=("${@:2}")
  require_config "${arguments[0]}"
}

# Submits a job that runs this script in this folder, with what read_submission read: a scheduler
# keeps a copy of the text, not of this file. The command reads the text from standard input, and
# takes the options of SIZE.
submit() { # submit "DIRECTIVES" COMMAND...
  local modules=()
  if [[ -n ${LOCKSTEP_MODULES-} ]]; then modules=(env "LOCKSTEP_MODULES=$LOCKSTEP_MODULES"); fi
  {
    echo '#!/bin/bash'
    printf '%s\n' "$1"
    printf 'cd %q || exit\nexec' "$PWD"
    # shellcheck disable=SC2154 # setup.sh sets `root`.
    printf ' %q' "${modules[@]}" "$root/launch/${0##*/}" --cores "$cores" "${size[@]}" -- \
      "${arguments[@]}"
    echo
  } | "${@:2}" "${size[@]}"
}

# Sets `options`: those of the command line, with the number of this task of a job array in the
# place of {task}. Tasks may not share a run directory.
# shellcheck disable=SC2034 # The caller uses them.
fill_in_task() { # fill_in_task OPTION...
  if [[ -z $job_task && $* == *\{task\}* ]]; then
    fail 64 "{task} is the number of a task, and this job is no job array."
  elif [[ -n $job_task ]] && has_option --run-dir "$@" && [[ $* != *\{task\}* ]]; then
    fail 64 "all tasks of this job array have the same --run-dir: put {task} into its name."
  fi
  options=("${@//\{task\}/$job_task}")
}

# Whether options have one of a name.
has_option() { # has_option --NAME OPTION...
  local option
  for option in "${@:2}"; do
    [[ $option != "$1" && $option != "$1="* ]] || return 0
  done
  return 1
}

# Sets `run_directory`, the options that give this job, or this task of a job array, a run directory
# of its own, where it finds its run when it was requeued. Empty where the arguments name one.
choose_run_directory() { # choose_run_directory OPTION...
  run_directory=()
  has_option --run-dir "$@" || run_directory=(--run-dir "runs/$job_name")
}

# Sets `time_limit`, the option that makes the training stop two minutes before the job's time is
# over, for schedulers that send no signal then. Empty where the arguments have one, or without a
# limit.
choose_time_limit() { # choose_time_limit SECONDS OPTION...
  local spare=120
  time_limit=()
  [[ $1 =~ ^[1-9][0-9]*$ ]] || return 0
  if (($1 < 2 * spare)); then spare=$(($1 / 2)); fi
  has_option --max-time "${@:2}" || time_limit=(--max-time "$(($1 - spare))")
}

# Trains with the configuration and the options of the job, on ranks that LAUNCHER starts, and ends
# the job. Needs the function `requeue`, which requeues this job.
# shellcheck disable=SC2154 # setup.sh sets `binary`.
train_in_job() { # train_in_job LAUNCHER...
  local status=0
  run_launcher "$@" "$binary" train "${arguments[0]}" --set "distributed.threadsPerRank=$cores" \
    "${run_directory[@]}" "${time_limit[@]}" "${options[@]}" || status=$?
  finish_job "$status" requeue
}

# Ends the job. If its ranks saved a checkpoint because of the time limit or a preemption, the command
# requeues the job, and it resumes from the checkpoint.
finish_job() { # finish_job STATUS COMMAND...
  local how="submit it again to resume"
  if ((${#run_directory[@]})); then how+=", with ${run_directory[*]}"; fi
  if (($1 == 75)); then
    if [[ $first_signal == @(TERM|INT) ]]; then
      echo "job $job_id was cancelled and saved a checkpoint; $how" >&2
    elif "${@:2}"; then
      echo "job $job_id saved a checkpoint and is requeued" >&2
    else
      echo "warning: job $job_id could not be requeued; $how" >&2
    fi
  fi
  exit "$1"
}
