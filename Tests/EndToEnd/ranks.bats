#!/usr/bin/env bats
# Training on several ranks: the same losses as in one process, and errors of the launch.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# Trains the digits on several ranks, and compares with the run that one process trained.
assert_trains_as_one_process() { # assert_trains_as_one_process COUNT
  copy_trained_run
  ranks "$1" train "$digits" --run-dir run
  assert_success
  assert_same_losses trained run
  assert_accuracy run 0.95
  # One log, one run directory.
  assert_one_line "$out" '^lockstep '
  assert_one_line "$out" '^ +60 +1380 '
  assert_logs_every_step run 1380
  assert_warns_of_cores_only
}

@test "ranks: 2 have the losses of one process at every step" {
  assert_trains_as_one_process 2
}

@test "ranks: 4 have the losses of one process at every step" {
  assert_trains_as_one_process 4
}

@test "ranks: 3 have the losses of one process where they cannot share batches evenly" {
  lockstep "${short[@]}" --set training.globalBatch=50 --run-dir uneven
  ranks 3 "${short[@]}" --set training.globalBatch=50 --run-dir uneven3
  assert_success
  assert_same_losses uneven uneven3
}

@test "ranks: 2 on one core are a warning, printed once" {
  needs_mpirun
  command -v taskset >/dev/null || skip "there is no taskset of util-linux"
  local core
  core=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)
  launch taskset -c "$core" "${mpirun[@]}" 2 --bind-to none "$lockstep" "${short[@]}" --dry-run
  assert_success
  assert_one_line "$err" '^warning: [^ ]+: 2 ranks share 1 .*; start 1 or fewer$'
}

@test "ranks: a user's own program trains on 1, 2 and 4" {
  needs_mpirun
  local count
  for count in 1 2 4; do
    launch "${mpirun[@]}" "$count" "$BATS_SUITE_TMPDIR/data-parallel-example"
    assert_success
    assert_one_line "$out" '^epoch 200  loss 0\.0[0-9]'
    assert_one_line "$out" '^accuracy (0\.9[5-9]|1)'
  done
}

# MARK: Errors of the launch

@test "ranks: different configurations are refused, with the ranks and the difference (81)" {
  needs_mpirun
  launch mpirun --oversubscribe -np 1 "$lockstep" "${short[@]}" --run-dir run \
    : -np 1 "$lockstep" "${short[@]}" --set training.seed=2 --run-dir run
  assert_failed_with 81 'ranks do not agree'
  assert_stderr_fits "training.seed: '1' on rank 0 .*, '2' on rank 1 "
  assert_not_exists run
}

@test "ranks: a launcher that MPI does not know is refused, with a remedy (81)" {
  launch env OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0 "$lockstep" "${short[@]}" --run-dir run
  assert_failed_with 81 'separate one-process runs'
  assert_stderr_fits '^fix: '
  assert_not_exists run
}

@test "ranks: srun without PMIx is refused, with a remedy (81)" {
  launch env SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=4 "$lockstep" "${short[@]}" \
    --run-dir run
  assert_failed_with 81 'separate one-process runs'
  # shellcheck disable=SC2016 # These are backticks of the message.
  assert_stderr_fits '^fix: use `srun --mpi=pmix`'
  assert_not_exists run
}

@test "ranks: the mpiexec of another MPI is refused, with a remedy (81)" {
  launch env PMI_SIZE=4 PMI_RANK=0 "$lockstep" "${short[@]}" --run-dir run
  assert_failed_with 81 'separate one-process runs'
  assert_stderr_fits '^fix: .* Open MPI'
  assert_not_exists run
}
