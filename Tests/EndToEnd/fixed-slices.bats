#!/usr/bin/env bats
# Fixed slices: the same weights, bit for bit, on any number of ranks.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# Trains on 1, 2, 3 and 4 ranks and compares the weights.
assert_same_weights_on_any_ranks() { # assert_same_weights_on_any_ranks ARGUMENT...
  local shared=(train "$@" --set distributed.fixedSlices=4 --progress none) count
  lockstep "${shared[@]}" --run-dir ranks-1
  assert_success
  for count in 2 3 4; do
    ranks "$count" "${shared[@]}" --run-dir "ranks-$count"
    assert_success
    assert_same_weights ranks-1 "ranks-$count"
  done
}

@test "fixed slices: a perceptron has the same weights on 1, 2, 3 and 4 ranks" {
  assert_same_weights_on_any_ranks "$digits" --max-steps 70
}

@test "fixed slices: a CNN with dropout has the same weights on 1, 2, 3 and 4 ranks" {
  assert_same_weights_on_any_ranks --set model.kind=cnn --set model.dropout=0.3 --max-steps 25
}

@test "fixed slices: a CNN in bfloat16 has the same weights on 1, 2, 3 and 4 ranks" {
  assert_same_weights_on_any_ranks --set model.kind=cnn --set model.dropout=0.3 \
    --set training.precision=bfloat16 --max-steps 12
}

@test "fixed slices: a network with batch normalization has the same weights on 1, 2, 3 and 4 ranks" {
  assert_same_weights_on_any_ranks --set model.kind=resnet18 --set training.globalBatch=16 \
    --max-steps 3
}

@test "fixed slices: a GPT has the same weights on 1, 2, 3 and 4 ranks" {
  seq 1 4000 >numbers.txt
  assert_same_weights_on_any_ranks --set model.kind=gpt --set data.kind=text \
    --set data.path=numbers.txt --set model.blocks=2 --set model.heads=2 --set model.width=32 \
    --set model.dropout=0.1 --set data.blockSize=16 --set training.globalBatch=12 \
    --set optimizer.kind=adamw --set training.gradientClipNorm=1 --max-steps 15
}

@test "fixed slices: a run that resumes on other numbers of ranks has the same weights" {
  local shared=(train "$digits" --set distributed.fixedSlices=4 --progress none)
  lockstep "${shared[@]}" --run-dir whole --max-steps 70
  ranks 4 "${shared[@]}" --run-dir resumed --max-steps 33
  ranks 3 "${shared[@]}" --run-dir resumed --max-steps 51
  ranks 2 "${shared[@]}" --run-dir resumed --max-steps 70
  assert_success
  assert_same_weights whole resumed
}

@test "fixed slices: eight of them give the same weights on 5, 6, 7 and 8 ranks" {
  local shared=(train "$digits" --set distributed.fixedSlices=8 --progress none --max-steps 25) count
  lockstep "${shared[@]}" --run-dir ranks-1
  for count in 5 6 7 8; do
    ranks "$count" "${shared[@]}" --run-dir "ranks-$count"
    assert_success
    assert_same_weights ranks-1 "ranks-$count"
  done
}

@test "fixed slices: more ranks than slices are refused (78)" {
  ranks 3 train "$digits" --set distributed.fixedSlices=2 --run-dir run
  assert_failed_with 78 "'distributed.fixedSlices' is 2, too few for 3 ranks; start at most 2"
}

@test "fixed slices: a number that is no power of two is refused (78)" {
  lockstep train "$digits" --set distributed.fixedSlices=6 --run-dir run
  assert_failed_with 78 'not a power of two'
}
