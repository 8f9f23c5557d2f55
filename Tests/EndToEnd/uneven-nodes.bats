#!/usr/bin/env bats
# Ranks on three nodes, and nodes with other numbers of ranks.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load nodes

setup_file() { needs_nodes 3; }
teardown_file() { end_nodes; }

# Runs the command on three ranks, two on the first node and one on the second.
on_uneven_nodes() { # on_uneven_nodes ARGUMENT...
  local on_node mpirun_options
  set_mpirun_options "$BATS_FILE_TMPDIR"
  sed '1s/slots=.*/slots=2/; 2s/slots=.*/slots=1/; 3d' "$BATS_FILE_TMPDIR/hosts" >uneven-hosts
  mpirun_options[1]=$PWD/uneven-hosts
  set_on_node 1 mpirun "${mpirun_options[@]}" -np 3 "$lockstep" "$@"
  launch "${on_node[@]}"
}

@test "uneven nodes: with fixed slices have the weights of one process, bit for bit" {
  local shared=(train "$digits" --max-steps 40 --set distributed.fixedSlices=8 --progress none)
  local mode
  lockstep "${shared[@]}" --run-dir one
  for mode in sync poll thread; do
    on_nodes 1 "${shared[@]}" --set distributed.overlap=$mode --run-dir "three-$mode"
    assert_success
    assert_same_weights one "three-$mode"
  done
  on_nodes 2 "${shared[@]}" --run-dir six
  assert_success
  assert_same_weights one six
  on_uneven_nodes "${shared[@]}" --set distributed.bucketMegabytes=0.07 --run-dir uneven
  assert_success
  assert_same_weights one uneven
}
