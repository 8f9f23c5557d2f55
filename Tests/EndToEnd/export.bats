#!/usr/bin/env bats
# Checkpoints that are verified, compared, averaged and exported, and TensorBoard's event files.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "verify: every checkpoint of a run is compared with its checksums" {
  copy_trained_run
  lockstep checkpoint verify trained
  assert_success
  assert_line --regexp '^ok       trained/checkpoints/step-001380  step 1,380, [0-9]+ files$'
  assert_equal "${#lines[@]}" "$(find trained/checkpoints -name 'step-*' | wc -l)"
  lockstep checkpoint verify trained/checkpoints/step-001380 "$(weights trained)"
  assert_success
  assert_equal "${#lines[@]}" 2

  printf 'x' | dd of="$(weights trained)" bs=1 seek=2000 conv=notrunc status=none
  lockstep checkpoint verify trained
  assert_failure 65
  assert_line --regexp '^damaged  trained/checkpoints/step-001380  model.safetensors: .*CRC-32'
  assert_line --regexp '^ok       trained/checkpoints/step-'
  lockstep checkpoint verify nothing
  assert_failed_with 66 "nothing"
  # All ranks end with the code of the worst.
  ranks 2 checkpoint verify trained
  assert_failure 65
}

@test "diff: two checkpoints are compared tensor by tensor, and setting by setting" {
  copy_trained_run
  lockstep checkpoint diff trained trained
  assert_success
  assert_line "all 6 tensors are identical"
  local checkpoints=(trained/checkpoints/step-*)
  lockstep checkpoint diff "${checkpoints[-2]}" trained
  assert_success
  assert_line "6 of 6 tensors differ"
  assert_line --regexp '^  1\.weight  \[128, 64\]  [0-9.e-]+  +[0-9.e-]+$'

  lockstep train "$digits" --run-dir other --set optimizer.learningRate=0.1 --max-steps 5 \
    --set "model.hidden=[128]" --progress none
  lockstep checkpoint diff trained other
  assert_success
  assert_line --regexp '^  optimizer.learningRate  0.2 -> 0.1$'
  assert_line --regexp '^  only in the first   7\.weight$'
  assert_line --regexp '^  another shape       4\.weight: \[64, 128\] -> \[10, 128\]$'
  lockstep checkpoint diff trained other --json
  assert_success
  assert_output --regexp '^\{"identical":false,"first":\{"path":"trained/checkpoints/.*"removed":\["7.bias","7.weight"\]'
}

@test "average: the mean of checkpoints can be evaluated" {
  copy_trained_run
  lockstep checkpoint average trained --last 2 -o mean.safetensors
  assert_success
  assert_line "wrote  mean.safetensors  the mean of 2, 6 tensors"
  lockstep eval trained --weights mean.safetensors
  assert_success
  assert_line --regexp '^accuracy    9[0-9]\.'
  # The mean of a checkpoint and itself is the same.
  lockstep checkpoint average trained trained -o same.safetensors
  assert_success
  lockstep checkpoint diff "$(weights trained)" same.safetensors
  assert_line "all 6 tensors are identical"

  lockstep checkpoint average trained -o one.safetensors
  assert_failed_with 64 "--last"
  lockstep checkpoint average trained --last 1000 -o one.safetensors
  assert_failed_with 65 "fewer than --last 1000"
  lockstep train "$digits" --run-dir other --max-steps 1 --set "model.hidden=[9]" --progress none
  lockstep checkpoint average trained other -o one.safetensors
  assert_failed_with 65 "are not of one model"
  assert_file_not_exists one.safetensors
}

@test "export: a model becomes a file of ONNX, or a Python program with its weights" {
  copy_trained_run
  lockstep checkpoint export trained --onnx
  assert_success
  assert_line --regexp '^wrote  model.onnx  [0-9,]+ bytes, step 1,380$'
  grep -aq Gemm model.onnx
  grep -aq 7.weight model.onnx
  lockstep checkpoint export trained --pytorch -o digits
  assert_success
  assert_output "wrote  digits  step 1,380"
  cmp digits/model.safetensors "$(weights trained)"
  run -0 grep -c "nn.Linear(" digits/model.py
  assert_output 3
  lockstep checkpoint export trained
  assert_failure 64
  lockstep checkpoint export trained --onnx -o no/such/folder.onnx
  assert_failed_with 73 "no/such"
}

@test "export: a language model takes its tokenizer along" {
  for i in {1..200}; do echo "Line $i: the ranks share the sum, and it's $((i * 7919 % 1000)) words"; done >text.txt
  lockstep data tokenize text.txt --vocabulary 300 --output tokens
  assert_success
  lockstep train --run-dir run --set data.kind=text --set data.path=tokens --set data.blockSize=16 \
    --set model.kind=gpt --set model.blocks=1 --set model.heads=2 --set model.width=16 \
    --set training.steps=2 --set training.globalBatch=4 --progress none
  assert_success
  lockstep checkpoint export run --pytorch
  assert_success
  cmp model-pytorch/tokenizer.json tokens/tokenizer.json
  grep -q 'GPT(300, context=16, blocks=1, heads=2, width=16)' model-pytorch/model.py
}

@test "tensorboard: a run with logging.tensorboard has an event file, one more after it resumed" {
  local run=("${short[@]}" --run-dir run --set logging.tensorboard=true --progress none)
  lockstep "${run[@]}" --max-steps 30
  assert_success
  run compgen -G "run/events.out.tfevents.*"
  assert_equal "${#lines[@]}" 1
  grep -aq loss/training run/events.out.tfevents.*
  grep -aq weights/1.weight run/events.out.tfevents.*
  lockstep "${run[@]}"
  assert_success
  run compgen -G "run/events.out.tfevents.*"
  assert_equal "${#lines[@]}" 2
}
