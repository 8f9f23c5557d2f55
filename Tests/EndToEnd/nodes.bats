#!/usr/bin/env bats
# Ranks on two nodes.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load nodes

setup_file() { needs_nodes; }
teardown_file() { end_nodes; }

@test "nodes: 2 with 2 ranks each pass all checks of doctor" {
  on_nodes 2 doctor
  assert_success
  assert_line --regexp 'ranks +4 on 2 hosts'
  assert_line --regexp 'checks passed on all ranks'
  refute_line --regexp '\[fail\]'
}

@test "nodes: have the losses of one process in every mode of overlap" {
  lockstep train "$digits" --max-steps 60 --progress none --run-dir one
  local mode
  for mode in sync poll thread; do
    on_nodes 2 train "$digits" --max-steps 60 --set distributed.overlap=$mode \
      --set distributed.bucketMegabytes=0.07 --run-dir "$mode"
    assert_success
    assert_line --regexp "^ranks +4 on 2 nodes . inter-node all-reduce: $mode"
    assert_same_losses one "$mode"
  done
}

@test "nodes: with fixed slices have the weights of one process, bit for bit" {
  local shared=(train "$digits" --max-steps 70 --set distributed.fixedSlices=4 --progress none)
  lockstep "${shared[@]}" --run-dir one
  on_nodes 2 "${shared[@]}" --run-dir two
  assert_success
  assert_same_weights one two
}

@test "nodes: print an error once, and all ranks end" {
  on_nodes 1 train "$digits" --set training.epochs=0.5 --run-dir run
  assert_failed_with 78 'training.epochs'
  assert_no_process_is_left
}

@test "nodes: a stopped rank is named by its own node, or as the other node's (83)" {
  local command process stopped
  for ranks in 1 2; do
    set_command "$ranks" "$lockstep" "${slow[@]}" --run-dir "run$ranks" --progress none \
      --set distributed.stallWarning=1 --set distributed.stallTimeout=4
    begin "run$ranks" "${command[@]}"
    wait_for_steps "run$ranks" 5
    # The last rank is on the second node.
    for process in $(processes); do
      if tr '\0' '\n' <"/proc/$process/environ" |
        grep -qx "OMPI_COMM_WORLD_RANK=$((2 * ranks - 1))"; then
        stopped=$process
      fi
    done
    kill -STOP "$stopped"
    finish 60
    assert_equal "$status" 83
    if ((ranks == 1)); then
      assert_stderr_fits '^error: no progress .* on machine1: .* wait for rank 1 \(machine2\)'
    else
      assert_stderr_fits '^error: no progress .* on machine2: rank 3 on machine2 .* is stopped'
      assert_exists run2/errors/rank-3.json
    fi
    assert_no_process_is_left
  done
}

@test "nodes: bench step --profile shows what they wait for, and all-reduces have a lane" {
  on_nodes 1 bench step --workload mlp --seconds 0.1 --profile --trace trace.json
  assert_success
  assert_line --regexp '^wait for other nodes +[0-9]+ +[0-9.]+ '
  local rank
  for rank in 0 1; do
    assert_one_line trace.json \
      "\"thread_name\".*\"pid\":$rank,.*\"name\":\"all-reduces between nodes\""
    grep -q "\"gradients, [0-9]* buckets\".*\"pid\":$rank" trace.json
  done
}

@test "nodes: time the algorithms of all-reduces and say which they take, and why" {
  on_nodes 1 train "$digits" --max-steps 2 --run-dir auto
  assert_success
  assert_line --regexp '^nodes  inter-node all-reduce: [a-z-]+, [0-9.]+ ms for [0-9.]+ MB \(.*[a-z-]+ [0-9.]+.*\)$'
  assert_one_line auto/env.json '"allReduce" *: *"[a-z-]+"'
}

@test "nodes: messages in bfloat16 train, and a run resumed from a checkpoint has the same bits" {
  local rounded=(train "$digits" --progress none --set distributed.wire=bfloat16
    --set distributed.errorFeedback=true --set checkpoint.everySteps=20)
  on_nodes 2 "${rounded[@]}" --max-steps 40 --run-dir all
  assert_success
  on_nodes 2 "${rounded[@]}" --max-steps 20 --run-dir parts
  on_nodes 2 "${rounded[@]}" --max-steps 40 --run-dir parts
  assert_success
  assert_same_weights all parts
  on_nodes 2 train "$digits" --progress none --max-steps 40 --run-dir exact
  run cmp "$(weights all)" "$(weights exact)"
  assert_failure
  on_nodes 1 "${rounded[@]}" --set distributed.fixedSlices=2 --run-dir slices
  assert_failed_with 78 'distributed.fixedSlices'
}

@test "nodes: a sharded optimizer has the weights and checkpoints of a whole one, on any layout" {
  local shared=(train "$digits" --progress none --set optimizer.kind=adamw
    --set optimizer.learningRate=0.001 --set 'model.hidden=[300, 300]' --set training.gradientClipNorm=1
    --set checkpoint.everySteps=12)
  local sharded=("${shared[@]}" --set distributed.shardOptimizer=true)
  on_nodes 2 "${shared[@]}" --max-steps 24 --run-dir one
  on_nodes 2 "${sharded[@]}" --max-steps 24 --run-dir two
  assert_success
  assert_same_weights one two
  cmp {one,two}/checkpoints/step-000024/optimizer.safetensors
  # Both go on in one process, and then on two nodes again.
  lockstep "${shared[@]}" --max-steps 36 --run-dir one
  lockstep "${shared[@]}" --max-steps 36 --run-dir two
  assert_same_weights one two
  on_nodes 1 "${shared[@]}" --max-steps 48 --run-dir one
  on_nodes 1 "${sharded[@]}" --max-steps 48 --run-dir two
  assert_success
  assert_same_weights one two
  cmp {one,two}/checkpoints/step-000048/optimizer.safetensors
}

@test "nodes: a sharded optimizer takes less memory" {
  # Adam's state of 6.4 million parameters is 51 MB; of which two nodes have a half each.
  local large=(train "$digits" --dry-run --set optimizer.kind=adamw --set 'model.hidden=[2500, 2500]')
  local mode bytes=()
  for mode in false true; do
    on_nodes 1 "${large[@]}" --set distributed.shardOptimizer=$mode
    assert_success
    bytes+=("$(sed -n 's/^memory  *\([0-9.]*\) MB .*/\1/p' <<<"$output")")
  done
  awk -v whole="${bytes[0]}" -v sharded="${bytes[1]}" 'BEGIN { exit !(sharded < whole - 15) }' ||
    fail "${bytes[1]} MB with a sharded optimizer, ${bytes[0]} MB without"
}

@test "nodes: bench predict measures the network between them" {
  on_nodes 1 bench predict --workload mlp-tiny --seconds 0.5 --nodes 2,8
  assert_success
  assert_line --regexp '^network  measured: [0-9.]+ us, [0-9.]+ MB/s'
  assert_line --regexp '^both     messages during computation: [0-9.]+ MB/s, computation at [0-9.]+ %$'
  assert_line --regexp '^    8 +[0-9.]+ '
  assert_one_line predict-mlp-tiny/predict.json '"source":"measured".*"compute_speed_while_sending":[0-9.]+'
}
