#!/usr/bin/env bash
# Trains in a PBS job (OpenPBS, PBS Professional, Torque); mpirun starts the ranks.
#
# Usage: launch/pbs.sh [--cores N] [SIZE...] -- CONFIG [OPTION...]
#
#   --cores N  the threads of each rank (default 1): ncpus divided by mpiprocs
#   SIZE       options of qsub, the size of the job first:
#              -l select=2:ncpus=8:mpiprocs=4 -l walltime=4:00:00, with Torque -l nodes=2:ppn=4
#   CONFIG     a configuration file, as for `lockstep train`
#   OPTION     passed to `lockstep train`: --set training.epochs=3, --run-dir DIR, ...
#
# Submits a job that runs this script; within a job, of `qsub -I` for example, it trains at once.
# Every node must find this folder, the data and the working directory under the same paths. In a
# checkout build first, on a node like the others: swift build -c release --product lockstep
#
# The run directory is runs/pbs-JOB, in a job array runs/pbs-JOB_TASK, unless --run-dir names another.
# In a job array (-J 1-8, with Torque -t 1-8), {task} in an OPTION is the number of the task:
# --set training.seed={task}. The environment modules that LOCKSTEP_MODULES names are loaded.
#
# An Open MPI that was built without PBS, as Debian's is, reaches the other nodes by pbs_tmrsh where
# the PATH has it, otherwise by ssh without a password.
#
# Two minutes before its walltime the job saves a checkpoint and is requeued; it then resumes. Where
# only operators may do that (qrerun), it submits itself again, with its run directory. A job that PBS
# restarts resumes from its last checkpoint. `qsig -s USR1 JOB` saves and requeues now; `qdel JOB` kills
# the job, without a checkpoint. Exit code: that of mpirun, which is that of the first rank that failed;
# 75 after a checkpoint.

set -euo pipefail
# shellcheck source=launch/lib/ranks.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/ranks.sh"

directives="#PBS -S /bin/bash
#PBS -N lockstep
#PBS -j oe
#PBS -r y"

# Prints the seconds that the job may take; nothing if PBS does not say.
walltime() {
  local time part seconds=0
  time=${PBS_WALLTIME-}
  [[ -n $time ]] ||
    time=$(qstat -f "$job_id" 2>/dev/null | sed -n 's/^ *Resource_List.walltime = //p') || true
  [[ $time =~ ^[0-9:]+$ ]] || return 0
  for part in ${time//:/ }; do seconds=$((60 * seconds + 10#$part)); done
  echo "$seconds"
}

# Requeues the job, or submits it again as a job of its own.
# shellcheck disable=SC2317 # Called by finish_job.
requeue() {
  local option skipped=no kept=()
  if qrerun "$job_id" 2>/dev/null; then return; fi
  # A task of an array returns alone.
  for option in "${size[@]}"; do
    if [[ $skipped == yes ]]; then
      skipped=no
    elif [[ $option == -[Jt] ]]; then
      skipped=yes
    elif [[ $option != -[Jt]* ]]; then
      kept+=("$option")
    fi
  done
  size=("${kept[@]}")
  arguments=("${arguments[0]}" "${run_directory[@]}" "${options[@]}")
  submit "$directives" qsub
}

handle_help "$@"
read_submission "$@"
job=${PBS_JOBID-} # 17.server, in an array 17[3].server
describe_job pbs "$job" "${job%%[!0-9]*}" "${PBS_ARRAY_INDEX-${PBS_ARRAYID-}}"
load_modules
require_binary
if [[ -z $job_id ]]; then
  command -v qsub >/dev/null || fail 69 "there is no qsub on the PATH: this host submits no PBS jobs."
  submit "$directives" qsub
  exit
fi

[[ -r ${PBS_NODEFILE-} ]] || fail 66 "cannot read PBS_NODEFILE, '${PBS_NODEFILE-}', the job's nodes."
require_mpirun
fill_in_task "${arguments[@]:1}"
choose_run_directory "${options[@]}"
limit=$(walltime)
choose_time_limit "$limit" "${options[@]}"
if [[ -z $limit ]] && ! has_option --max-time "${options[@]}"; then
  echo "warning: qstat does not say the walltime of job $job_id: pass --max-time to save before it" >&2
fi
choose_agent pbs_tmrsh
forward_environment "$cores"
train_in_job mpirun --hostfile "$PBS_NODEFILE" "${agent[@]}" --bind-to none "${forwarded[@]}"
