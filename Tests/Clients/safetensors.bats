#!/usr/bin/env bats
# Python's safetensors reads our files, and we read its.

load clients

@test "safetensors: Python and lockstep read each other's weights" {
  needs_python numpy safetensors.numpy
  copy_trained_run
  client weights "$(weights trained)" copy.safetensors
  assert_success
  assert_line "1.weight float32 (128, 64)"
  assert_line "7.bias float32 (10,)"
  lockstep checkpoint diff trained copy.safetensors
  assert_success
  assert_output --partial "all 6 tensors are identical"
  lockstep eval trained --weights copy.safetensors --json
  assert_success
}

@test "safetensors: Python finds the mean that checkpoint average writes" {
  needs_python numpy safetensors.numpy
  copy_trained_run
  lockstep checkpoint average trained --last 2 -o mean.safetensors
  assert_success
  local checkpoints=(trained/checkpoints/step-*)
  client mean mean.safetensors "${checkpoints[@]: -2}"
  assert_success
}
