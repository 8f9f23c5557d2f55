#!/usr/bin/env bats
# All-reduces between three nodes.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load nodes

setup_file() { needs_nodes 3; }
teardown_file() { end_nodes; }

@test "all-reduce: auto times the algorithms and says which it takes, and why" {
  on_nodes 1 train "$digits" --max-steps 2 --run-dir auto
  assert_success
  assert_line --regexp '^nodes  inter-node all-reduce: [a-z-]+, [0-9.]+ ms for [0-9.]+ MB \(.*[a-z-]+ [0-9.]+.*\)$'
  assert_one_line auto/env.json '"allReduce" *: *"[a-z-]+"'
}

@test "all-reduce: nodes take the algorithm that distributed.allReduce names, also on resuming" {
  lockstep train "$digits" --max-steps 60 --progress none --run-dir one
  on_nodes 1 train "$digits" --max-steps 30 --set distributed.allReduce=ring --run-dir run
  assert_success
  assert_line 'nodes  inter-node all-reduce: ring'
  on_nodes 1 train "$digits" --max-steps 60 --set distributed.allReduce=mpi --run-dir run
  assert_success
  assert_line 'nodes  inter-node all-reduce: mpi'
  assert_same_losses one run
}

@test "all-reduce: an unknown algorithm, or two-level without switches, is an error (78)" {
  lockstep train "$digits" --set distributed.allReduce=token-ring --run-dir run
  assert_failed_with 78 'distributed.allReduce.*token-ring.*auto.*ring.*mpi'
  lockstep train "$digits" --set distributed.allReduce=two-level --run-dir run
  assert_failed_with 78 'distributed.allReduce.*nodesPerSwitch'
}

@test "all-reduce: bench allreduce times each algorithm beside MPI and the limit" {
  on_nodes 1 bench allreduce --sizes 1K,4K --seconds 0.01 --bandwidth 125e6
  assert_success
  assert_line --regexp '^3 nodes, given 125 MB/s'
  assert_line --regexp '^ +1024  limit +10\.9 us +1\.00 '
  local algorithm
  for algorithm in recursive-halving-doubling recursive-multiplying recursive-doubling ring direct \
    mpi MPI_Allreduce; do
    assert_equal "$(grep -cE "^ +$algorithm +[0-9.]+ us +[0-9.]+ +[0-9.]+$" "$out")" 2
  done
  on_nodes 1 bench allreduce --sizes 1K --seconds 0.01 --json
  assert_success
  assert_one_line "$out" '^\{"bytes":1024,"ranks":3,"nodes":3,"lockstep_us":[0-9.]+,"mpi_us":.*"limit_us":[0-9.]+,.*"algorithms_us":\{"recursive-halving-doubling":[0-9.]+,'
}

@test "all-reduce: two-level on nodes that do not fill switches warns, and takes what auto takes" {
  # As after the loss of the fourth node.
  on_nodes 1 train "$digits" --max-steps 2 --run-dir run \
    --set distributed.allReduce=two-level --set distributed.nodesPerSwitch=2
  assert_success
  assert_stderr_fits "^warning: 'distributed.nodesPerSwitch' is 2, of which the 3 nodes of this run are no larger multiple, .* set 'allReduce' to auto$"
  assert_line --regexp '^nodes  inter-node all-reduce: recursive-[a-z]+, [0-9.]+ ms|^nodes  inter-node all-reduce: direct, [0-9.]+ ms'
}
