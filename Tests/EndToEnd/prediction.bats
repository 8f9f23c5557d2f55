#!/usr/bin/env bats
# `lockstep eval` and `lockstep predict`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

# MARK: eval

@test "eval: prints the loss and the accuracy" {
  copy_trained_run
  lockstep eval trained
  assert_success
  assert_line --regexp '^samples +359 \(validation\)$'
  assert_line --regexp '^accuracy +9[5-9]\.'
}

@test "eval: --json prints an object" {
  copy_trained_run
  lockstep eval trained --json
  assert_success
  assert_line --regexp \
    '^\{"checkpoint":"trained/.*"step":1380,"split":"validation","samples":359,"loss":0\..*,"accuracy":0\.9'
}

@test "eval: 2 ranks count every sample once" {
  copy_trained_run
  lockstep eval trained --json
  local expected
  expected=$(cut -d , -f 4,6 "$out")
  ranks 2 eval trained --json
  assert_success
  assert_one_line "$out" '"samples":359,'
  assert_equal "$(cut -d , -f 4,6 "$out")" "$expected"
}

@test "eval: a missing run is an error (66)" {
  lockstep eval nowhere
  assert_failed_with 66 "no checkpoint at 'nowhere'"
}

@test "eval: a folder that is no run is an error (66)" {
  write_idx images
  lockstep eval images
  assert_failed_with 66 "no checkpoint at 'images'"
}

@test "eval: weights of another shape are refused (65)" {
  copy_trained_run
  lockstep eval trained --weights "$root/Tests/CheckpointingTests/Goldens/mlp.safetensors"
  assert_failed_with 65 'mlp.safetensors'
}

# MARK: predict

# Writes a zero as 8 x 8 pixels: a ring of ink.
write_zero() { # write_zero FILE
  local row="0,0,0,15,15,0,0,0" side="0,0,12,0,0,12,0,0"
  echo "$row,$side,$side,$side,$side,$side,$side,$row" >"$1"
}

@test "predict: reads CSV" {
  copy_trained_run
  write_zero zero.csv
  lockstep predict trained zero.csv
  assert_success
  assert_line --regexp $'^zero.csv\t0\t[0-9]\t[01]\\.[0-9]{4}$'
  lockstep predict trained zero.csv --json
  assert_success
  assert_line --regexp '^\{"file":"zero.csv","sample":0,"class":[0-9],"probabilities":\[.*\]\}$'
}

@test "predict: reads npy and IDX, and several files" {
  copy_trained_run
  local zeros
  zeros=$(printf '\\0%.0s' {1..128})
  write_npy two.npy '|u1' '(2, 8, 8)' "$zeros"
  lockstep predict trained two.npy
  assert_success
  assert_one_line "$out" $'^two.npy\t0\t'
  assert_one_line "$out" $'^two.npy\t1\t'
  printf '\0\0\10\3\0\0\0\2\0\0\0\10\0\0\0\10%b' "$zeros" >two-images-idx3-ubyte
  lockstep predict trained two-images-idx3-ubyte two.npy
  assert_success
  assert_line_count "$out" 4
}

@test "predict: samples of a wrong shape are refused (65)" {
  copy_trained_run
  echo 1,2,3 >three.csv
  lockstep predict trained three.csv
  assert_failed_with 65 'three.csv'
  ranks 2 predict trained three.csv
  assert_failed_with 65 'three.csv'
}

@test "predict: a missing file is an error (66)" {
  copy_trained_run
  lockstep predict trained nothing.csv
  assert_failed_with 66 'nothing.csv'
}
