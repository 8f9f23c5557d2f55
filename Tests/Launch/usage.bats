#!/usr/bin/env bats
# What all launch scripts share.

load sandbox

@test "usage: --help shows the usage of every script, and does nothing else" {
  local script
  for script in run new test docs package mpirun-hosts slurm-mpirun.sbatch slurm-srun.sbatch pbs.sh \
    lsf.sh flux.sh; do
    launch "$script" --help
    assert_success
    assert_line --regexp "^Usage: (sbatch \[SIZE...\] )?launch/$script"
    refute_output --partial "set -euo"
    assert_equal "$(<"$CALLS")" ""
  done
}
