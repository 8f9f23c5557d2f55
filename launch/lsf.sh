#!/usr/bin/env bash
# Trains in an LSF job; mpirun starts the ranks.
#
# Usage: launch/lsf.sh [--cores N] [SIZE...] -- CONFIG [OPTION...]
#
#   --cores N  the threads of each rank (default 1)
#   SIZE       options of bsub, the size of the job first: -n 8 -R "span[ptile=4]" -W 4:00,
#              for ranks of two threads also -R "affinity[core(2)]"
#   CONFIG     a configuration file, as for `lockstep train`
#   OPTION     passed to `lockstep train`: --set training.epochs=3, --run-dir DIR, ...
#
# Submits a job that runs this script; within a job, of `bsub -Is` for example, it trains at once.
# Every host must find this folder, the data and the working directory under the same paths. In a
# checkout build first, on a host like the others: swift build -c release --product lockstep
#
# The run directory is runs/lsf-JOB, in a job array runs/lsf-JOB_TASK, unless --run-dir names another.
# In a job array (-J "name[1-8]"), {task} in an OPTION is the number of the task:
# --set training.seed={task}. The environment modules that LOCKSTEP_MODULES names are loaded.
#
# An Open MPI that was built without LSF, as Debian's is, reaches the other hosts by blaunch where the
# PATH has it, otherwise by ssh without a password.
#
# Two minutes before its run limit (-W) the job saves a checkpoint and is requeued (brequeue); it then
# resumes. After a host failed, LSF restarts the job, and it resumes from its last checkpoint.
# `bkill -s USR1 JOB` saves and requeues now; `bkill JOB` kills the job, without a checkpoint: LSF
# signals mpirun too. Exit code: that of mpirun, which is that of the first rank that failed; 75 after a
# checkpoint.

set -euo pipefail
# shellcheck source=launch/lib/ranks.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/ranks.sh"

# The warning action: USR1, two minutes before LSF ends the job.
directives="#BSUB -J lockstep
#BSUB -o lockstep-%J-%I.out
#BSUB -r
#BSUB -wa USR1
#BSUB -wt 2"

# Sets `hosts`, mpirun's options for the hosts of the job.
choose_hosts() {
  local words list=
  if [[ -r ${LSB_DJOB_HOSTFILE-} ]]; then
    hosts=(--hostfile "$LSB_DJOB_HOSTFILE")
    return
  fi
  # HOST SLOTS HOST SLOTS ...
  read -ra words <<<"${LSB_MCPU_HOSTS-}"
  ((${#words[@]} >= 2)) ||
    fail 66 "cannot read LSB_DJOB_HOSTFILE, '${LSB_DJOB_HOSTFILE-}', the job's hosts."
  set -- "${words[@]}"
  while (($# >= 2)); do
    list+=,$1:$2
    shift 2
  done
  hosts=(--host "${list#,}")
}

# shellcheck disable=SC2317 # Called by finish_job.
requeue() { brequeue "$job_id"; }

handle_help "$@"
read_submission "$@"
task=${LSB_JOBINDEX-}
[[ $task != 0 ]] || task=
describe_job lsf "${LSB_JOBID-}${task:+[$task]}" "${LSB_JOBID-}" "$task"
load_modules
require_binary
if [[ -z $job_id ]]; then
  command -v bsub >/dev/null || fail 69 "there is no bsub on the PATH: this host submits no LSF jobs."
  submit "$directives" bsub
  exit
fi

choose_hosts
require_mpirun
fill_in_task "${arguments[@]:1}"
choose_run_directory "${options[@]}"
choose_agent blaunch
forward_environment "$cores"
train_in_job mpirun "${hosts[@]}" "${agent[@]}" --bind-to none "${forwarded[@]}"
