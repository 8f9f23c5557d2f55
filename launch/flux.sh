#!/usr/bin/env bash
# Trains in a Flux job; flux run starts the ranks.
#
# Usage: launch/flux.sh [--cores N] [SIZE...] -- CONFIG [OPTION...]
#
#   --cores N  the threads of each rank (default 1); there are as many ranks as the job has cores
#              for
#   SIZE       options of flux batch, the size of the job first: -N 2 -n 8 -c 2 -t 4h
#   CONFIG     a configuration file, as for `lockstep train`
#   OPTION     passed to `lockstep train`: --set training.epochs=3, --run-dir DIR, ...
#
# Submits a job that runs this script; within a job, of `flux alloc` for example, it trains at once.
# Every node must find this folder, the data and the working directory under the same paths. In a
# checkout build first, on a node like the others: swift build -c release --product lockstep
#
# Open MPI 4 needs its component for Flux, which Debian's has (ompi_info shows MCA pmix: flux); any
# other needs the PMIx plugin of Flux (flux-pmix).
#
# The run directory is runs/flux-JOB, unless --run-dir names another. The environment modules that
# LOCKSTEP_MODULES names are loaded.
#
# Two minutes before its time limit the job saves a checkpoint and submits itself again, with its run
# directory, where it resumes. `flux cancel JOB` ends the job, without a checkpoint. Exit code: that of
# flux run, which is the highest of all ranks; 75 after a checkpoint.

set -euo pipefail
# shellcheck source=launch/lib/ranks.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/ranks.sh"

directives="#flux: --job-name=lockstep
#flux: --output=lockstep-{{id}}.out"

# flux run does not pass signals on, as mpirun and srun do.
# shellcheck disable=SC2317 # Called by the traps of run_launcher.
signal_launcher() { # signal_launcher NAME
  signals=$((signals + 1))
  flux job kill --signal="SIG$1" "$(flux job last)" || true
}

# Flux has no requeueing: submits the job again to where this one came from.
# shellcheck disable=SC2317 # Called by finish_job.
requeue() {
  arguments=("${arguments[0]}" "${run_directory[@]}" "${options[@]}")
  submit "$directives" flux --parent batch
}

handle_help "$@"
read_submission "$@"
load_modules
require_binary
command -v flux >/dev/null || fail 69 "there is no flux on the PATH: this host submits no Flux jobs."
id=$(flux getattr jobid 2>/dev/null) || id=
describe_job flux "$id" "${id/ƒ/f}" ""
if [[ -z $job_id ]]; then
  submit "$directives" flux batch
  exit
fi

# One line for each state of the resources.
total=$(flux resource list --no-header --format='{ncores}' | awk '{ sum += $1 } END { print sum }')
ranks=$((total / cores))
((ranks > 0)) || fail 64 "the job has $total cores, too few for --cores $cores: ask for more (-c)."
fill_in_task "${arguments[@]:1}"
choose_run_directory "${options[@]}"
limit=$(flux job timeleft 2>/dev/null) || limit=
choose_time_limit "${limit%%.*}" "${options[@]}"
pmi=()
if command -v ompi_info >/dev/null && [[ $(ompi_info) != *"MCA pmix: flux"* ]]; then
  pmi=(-o pmi=pmix)
fi
export OPENBLAS_NUM_THREADS=$cores
train_in_job flux run -n "$ranks" -c "$cores" -o cpu-affinity=per-task "${pmi[@]}"
