#!/usr/bin/env bats
# Nodes that make steps of their own between outer steps (DiLoCo).
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load nodes

setup_file() { needs_nodes; }
teardown_file() { end_nodes; }

local_steps=(--set distributed.localSteps=10)

@test "local steps: 2 nodes train together, and a resumed run has the same weights" {
  local shared=(train "$digits" "${local_steps[@]}" --max-steps 70)
  on_nodes 2 "${shared[@]}" --run-dir whole
  assert_success
  assert_line --regexp '^ranks +4 on 2 nodes . inter-node all-reduce: every 10 steps'
  on_nodes 2 "${shared[@]}" --run-dir resumed --max-steps 31
  assert_equal "$(last_step resumed)" 40
  assert_exists resumed/checkpoints/step-000040/optimizer.node-1.safetensors
  assert_exists resumed/checkpoints/step-000040/outer.safetensors
  on_nodes 2 "${shared[@]}" --run-dir resumed
  assert_success
  assert_same_weights whole resumed
}

@test "local steps: a signal stops the run at an outer step, and another number of nodes resumes it" {
  local command
  set_command 1 "$lockstep" "${slow[@]}" "${local_steps[@]}" --run-dir run
  begin run "${command[@]}"
  wait_for_steps run 3
  kill -TERM "$(holder run)"
  finish 60
  assert_equal "$status" 75
  assert_equal $(($(last_step run) % 10)) 0
  lockstep "${slow[@]}" "${local_steps[@]}" --run-dir run --max-steps $(($(last_step run) + 10))
  assert_success
  assert_stderr_fits '^warning: .*optimizer states of 2 nodes'
}

@test "local steps: bench step takes an outer step into the time of each" {
  on_nodes 1 bench step --workload mlp-tiny --local-steps 4 --seconds 0.2
  assert_success
  assert_line --regexp '^ranks .*2 nodes.*, every 4 steps$'
  assert_line --regexp '^all-reduce +[a-z-]+, [0-9.]+ ms for '
  on_nodes 1 bench step --workload mlp-tiny --local-steps 4 --seconds 0.2 --json
  assert_success
  assert_line --regexp '"local_steps":4,"steps":[0-9]*[02468],'
}

@test "local steps: settings that need the same weights at every step are refused (78)" {
  on_nodes 1 train "$digits" "${local_steps[@]}" --set distributed.fixedSlices=4 --run-dir run
  assert_failed_with 78 "'distributed.localSteps' is 10, .*'fixedSlices'"
}
