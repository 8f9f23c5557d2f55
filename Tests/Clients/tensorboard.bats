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

@test "tensorboard: its server shows a run" {
  needs_python tensorboard
  command -v curl >/dev/null || skip "there is no curl"
  lockstep train "$digits" --run-dir runs/a --set training.epochs=2 --set logging.tensorboard=true \
    --progress none
  assert_success
  # It ends by itself where the test fails.
  timeout 90 "$python" -m tensorboard.main --logdir runs --port 0 --load_fast=false \
    >server.log 2>&1 3>&- &
  local server=$! address='' tries
  for ((tries = 0; tries < 300; tries++)); do
    address=$(grep -o 'http://[^ ]*[^ /]' server.log | head -n 1) || true
    if [[ -n $address ]] && curl -fsS "$address/data/runs" 2>/dev/null | grep -q '"a"'; then break; fi
    sleep 0.2
  done
  launch curl -fsS "$address/data/plugin/scalars/scalars?tag=loss%2Fvalidation&run=a"
  assert_success
  assert_output --regexp '^\[\[[0-9.]+, 23, [0-9.]+\], \[[0-9.]+, 46, [0-9.]+\]\]$'
  launch curl -fsS "$address/data/plugin/histograms/histograms?tag=weights%2F1.weight&run=a"
  assert_success
  assert_output --regexp '^\[\[[0-9.]+, 23, \[\[-?[0-9.]+'
  launch curl -fsS "$address/data/plugin/images/images?tag=samples&run=a&sample=0"
  assert_success
  local query
  query=$(sed -n 's/.*"query": "\([^"]*\)".*/\1/p' "$out")
  curl -fsS "$address/data/plugin/images/individualImage?$query" >samples.png
  run head -c 4 samples.png
  assert_output --partial PNG
  kill $server
}
