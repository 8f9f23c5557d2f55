#!/usr/bin/env bats
# TensorBoard reads the event files of a run.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load clients

@test "tensorboard: reads scalars, histograms and images, and drops what a resumed run repeats" {
  needs_python tensorboard
  local run=(train "$digits" --run-dir run --set training.epochs=3 --set logging.tensorboard=true
    --set checkpoint.everySteps=30 --set checkpoint.keep=5 --progress none)
  lockstep "${run[@]}" --max-steps 40
  assert_success
  # As if it had been killed before its last checkpoint.
  rm -r run/checkpoints/step-000040
  lockstep "${run[@]}"
  assert_success
  client events run
  assert_success
  assert_line "loss/training: 69 steps from 1 to 69"
  assert_line "loss/validation: 3 steps from 23 to 69"
  assert_line "accuracy/validation: 3 steps from 23 to 69"
  assert_line "learningRate: 69 steps from 1 to 69"
  assert_line "gradientNorm: 69 steps from 1 to 69"
  assert_line "weights/1.weight: 3 histograms of 8192 numbers"
  assert_line "gradients/7.bias: 3 histograms of 10 numbers"
  assert_line --regexp '^samples: an image of 5[0-9]{2} x 1[0-9]{2} pixels$'
}
