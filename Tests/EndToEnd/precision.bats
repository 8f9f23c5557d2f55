#!/usr/bin/env bats
# Mixed precision: training.precision, and --precision of the other commands.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

narrow=(--set training.precision=bfloat16 --progress none)

@test "precision: a run in bfloat16 differs from one in float32, and is as good" {
  lockstep train "$digits" "${narrow[@]}" --run-dir narrow
  assert_success
  lockstep eval narrow --json
  assert_line --regexp '"accuracy":0\.9[6-9]'
  local loss
  loss=$(grep -o '"loss":[0-9.]*' "$out")
  lockstep eval narrow --json --set training.precision=float32
  assert_success
  assert_line --regexp '"accuracy":0\.9[6-9]'
  refute_output --partial "$loss,"
}

@test "precision: a stopped run in bfloat16 resumes with the same weights, and not in float32" {
  local shared=(train "$digits" "${narrow[@]}")
  lockstep "${shared[@]}" --run-dir whole --max-steps 70
  lockstep "${shared[@]}" --run-dir resumed --max-steps 33
  lockstep "${shared[@]}" --run-dir resumed --max-steps 70
  assert_success
  assert_same_weights whole resumed
  lockstep train "$digits" --run-dir resumed
  assert_failed_with 78 'training.precision: bfloat16 in the checkpoint, float32 now'
}

@test "precision: weights are saved as float32" {
  lockstep train "$digits" "${narrow[@]}" --run-dir run --max-steps 5
  lockstep checkpoint info run
  assert_success
  grep -q '"dtype":"F32"' run/checkpoints/step-*/*.safetensors
  run ! grep -q '"dtype":"BF16"' run/checkpoints/step-*/*.safetensors
}

@test "precision: predict takes the precision of the training, or another one" {
  lockstep train "$digits" "${narrow[@]}" --run-dir run --max-steps 200
  seq -s , 0 63 | sed 's/[0-9]*/7/g' >sample.csv
  lockstep predict run sample.csv --json
  assert_success
  local narrow_output=$output
  lockstep predict run sample.csv --json --precision bfloat16
  assert_output "$narrow_output"
  lockstep predict run sample.csv --json --precision float32
  assert_success
  refute_output "$narrow_output"
  lockstep predict run sample.csv --precision float16
  assert_failed_with 64 'float16'
}

@test "precision: kernels without an instruction for bfloat16 give the same weights" {
  local shared=(train "${narrow[@]}" --set model.kind=cnn --max-steps 12)
  LOCKSTEP_ISA=avx512 lockstep "${shared[@]}" --run-dir emulated
  assert_success
  lockstep "${shared[@]}" --run-dir native
  assert_same_weights emulated native
}

@test "bench step: --precision is in the record" {
  lockstep bench step --workload mlp-tiny --seconds 0.1 --precision bfloat16 --json
  assert_success
  assert_output --partial '"precision":"bfloat16"'
}
