#!/usr/bin/env bats
# Data files: good ones, damaged ones, and hostile ones.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

idx=(train --run-dir run --set data.kind=idx --set data.validation=1)
npy=(train --run-dir run --set data.kind=npy --set data.validation=1)
csv=(train --run-dir run --set data.kind=csv --set data.validation=1)

# The command refused the data, and made no run directory.
assert_refused_with() { # assert_refused_with CODE PATTERN
  assert_failed_with "$@"
  assert_not_exists run
}

@test "data: four images in IDX files train" {
  write_idx good
  lockstep "${idx[@]}" --set data.path=good --set training.epochs=1 --set training.globalBatch=2
  assert_success
  assert_logs_every_step run 2
}

@test "data: MNIST is learned from 8,000 images" {
  local data=$root/../shared/data/mnist-10k
  [[ -d $data ]] || skip "there is no $data"
  lockstep train "$root/configs/mnist-mlp.yaml" --set data.path="$data" \
    --set data.validation=2000 --run-dir mnist
  assert_success
  assert_accuracy mnist 0.95
}

@test "data: a format without data.path is refused (78)" {
  lockstep "${idx[@]}"
  assert_refused_with 78 'data.path'
}

@test "data: a missing folder is an error (66)" {
  lockstep "${idx[@]}" --set data.path=nowhere
  assert_refused_with 66 "'data.path' is 'nowhere'"
}

# MARK: IDX

@test "data: a truncated IDX file is refused, with file and offset (65)" {
  write_truncated_idx truncated
  lockstep "${idx[@]}" --set data.path=truncated
  assert_refused_with 65 'truncated/train-images-idx3-ubyte: .*byte 16'
}

@test "data: 2 ranks refuse a truncated IDX file once (65)" {
  write_truncated_idx truncated
  ranks 2 "${idx[@]}" --set data.path=truncated
  assert_refused_with 65 'truncated/train-images-idx3-ubyte: '
}

@test "data: an IDX file that claims to be huge is refused (65)" {
  write_idx hostile
  printf '\0\0\10\3\177\377\377\377\177\377\377\377\177\377\377\377abc' \
    >hostile/train-images-idx3-ubyte
  lockstep "${idx[@]}" --set data.path=hostile
  assert_refused_with 65 'hostile/train-images-idx3-ubyte: '
}

@test "data: IDX files with fewer labels than images are refused (65)" {
  write_idx labels
  printf '\0\0\10\1\0\0\0\3\0\1\0' >labels/train-labels-idx1-ubyte
  lockstep "${idx[@]}" --set data.path=labels
  assert_refused_with 65 '4.*3|3.*4'
}

# MARK: NumPy

@test "data: a truncated npy file is refused (65)" {
  mkdir npy
  write_npy npy/inputs.npy '<f4' '(3, 2)' '\0\0\200\77'
  write_npy npy/targets.npy '|u1' '(3,)' '\0\1\0'
  lockstep "${npy[@]}" --set data.path=npy
  assert_refused_with 65 'npy/inputs.npy: '
}

@test "data: an npy file of Python objects is refused (65)" {
  mkdir npy
  write_npy npy/inputs.npy '|O' '(3, 2)' 'cos\nsystem'
  write_npy npy/targets.npy '|u1' '(3,)' '\0\1\0'
  lockstep "${npy[@]}" --set data.path=npy
  assert_refused_with 65 'npy/inputs.npy: '
}

# MARK: CSV

@test "data: a CSV row that is too short is refused, with its number (65)" {
  printf 'a,b,label\n1,2,0\n3,1\n' >ragged.csv
  lockstep "${csv[@]}" --set data.path=ragged.csv
  assert_refused_with 65 'ragged.csv: row 3, '
}

@test "data: a CSV value that is not a number is refused, with row and column (65)" {
  printf 'a,b,label\n1,2,0\n1,nan,1\n3,4,1\n' >nan.csv
  lockstep "${csv[@]}" --set data.path=nan.csv
  assert_refused_with 65 'nan.csv: row 3, column 2: the value is missing'
}
