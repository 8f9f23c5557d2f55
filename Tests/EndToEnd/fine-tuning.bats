#!/usr/bin/env bats
# Models by layers, weights to start from, frozen layers, and the average of the weights.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

articles=$root/Sources/Lockstep/Lockstep.docc

# Prints the blocks of code in a language of an article.
blocks() { # blocks LANGUAGE ARTICLE
  sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/!p}" "$articles/$2"
}

@test "fine-tuning: the commands of the article run" {
  ln -s "$root/configs" configs
  mkdir bin
  ln -s "$lockstep" bin/lockstep
  blocks sh fine-tuning.md >article.sh
  PATH=$PWD/bin:$PATH launch bash -eu article.sh
  assert_success
  assert_stderr_fits '^note: model.weights: loaded 6 tensors of .base/'
  assert_file_exists average/checkpoints/latest
}

@test "layers: the configuration of the article trains, alone and on 2 ranks" {
  blocks yaml own-model.md >layers.yaml
  lockstep train layers.yaml --dry-run
  assert_success
  assert_line --regexp '^0 +Conv2d +\[16, 8, 8\] +160$'
  assert_line --regexp '^8 +Linear +\[10\] +650$'
  lockstep train layers.yaml --run-dir one
  assert_success
  assert_accuracy one 0.85
  ranks 2 train layers.yaml --run-dir two
  assert_success
  assert_accuracy two 0.85
  lockstep eval one
  assert_success
}

@test "layers: an item that does not fit is an error (78)" {
  lockstep train --set model.kind=layers --set 'model.layers=[conv 8 3, linear 10]'
  assert_failed_with 78 "'model.layers' item 2 'linear 10': \[8, 6, 6\] arrives here: put 'flatten'"
  lockstep config check "$digits" --set model.kind=layers --set 'model.layers=[flaten]'
  assert_failed_with 78 "did you mean 'flatten'"
}

@test "weights: those of another shape need a new head, and what is not there is an error" {
  copy_trained_run
  lockstep train "$digits" --set model.weights=trained --set 'model.hidden=[128, 32]'
  assert_failed_with 65 "different: 4.weight is"
  seq -s, 64 | sed 's/$/,0/' >data.csv
  seq -s, 64 | sed 's/$/,1/' >>data.csv
  local other=(train "$digits" --set data.kind=csv --set data.path=data.csv --set data.validation=0
    --set data.target=classes
    --set model.weights=trained --set training.epochs=1)
  lockstep "${other[@]}"
  assert_failed_with 65 "model.newHead=true"
  lockstep "${other[@]}" --set model.newHead=true
  assert_success
  assert_stderr_fits 'loaded 4 tensors.* left out 7.weight \[10, 64\], 7.bias \[10\]; new: 7.weight \[2, 64\]'
  lockstep train "$digits" --set model.weights=nowhere
  assert_failed_with 66 "nowhere"
  lockstep train "$digits" --set model.newHead=true
  assert_failed_with 78 "model.newHead"
}

@test "freeze: frozen weights stay, on 2 ranks and after a resume too" {
  copy_trained_run
  local tuned=(train "$digits" --set name=tuned --set model.weights=trained
    --set 'model.freeze=[1.*]' --set training.emaDecay=0.9 --set 'optimizer.learningRates=[7 3]'
    --set training.epochs=2 --set distributed.fixedSlices=2)
  lockstep "${tuned[@]}" --run-dir whole
  assert_success
  assert_line --regexp '^model +mlp · 17,226 parameters · 8,906 of them trained$'
  ranks 2 "${tuned[@]}" --run-dir parts --max-steps 13
  assert_success
  lockstep "${tuned[@]}" --run-dir parts
  assert_success
  assert_same_weights whole parts
  cmp whole/checkpoints/step-000046/ema.safetensors parts/checkpoints/step-000046/ema.safetensors
  run cmp -s "$(weights whole)" whole/checkpoints/step-000046/ema.safetensors
  assert_failure
}

@test "freeze: a pattern that fits nothing is an error (78) with near names" {
  lockstep train "$digits" --set 'model.freeze=[11.*]'
  assert_failed_with 78 "'model.freeze' has '11.\*', which fits no parameter of the model; names that are near: 1"
  ranks 2 train "$digits" --set 'optimizer.learningRates=[fc 10]'
  assert_failed_with 78 "'optimizer.learningRates' has 'fc'"
  lockstep train "$digits" --set 'optimizer.learningRates=[fc]'
  assert_failed_with 78 "a factor above 0"
}
