# shellcheck shell=bash
# shellcheck disable=SC2154 # Variables are shared with the tests.
# What the tests with other programs are written with: those of the end-to-end tests, and Python.

load ../EndToEnd/lockstep

# The Python that launch/test has prepared, or the system's.
python=${CLIENTS_PYTHON:-$root/.build/clients/bin/python}
[[ -x $python ]] || python=python3

# Skips the test unless Python has some modules.
needs_python() { # needs_python MODULE...
  local module
  command -v "$python" >/dev/null || skip "there is no Python; launch/test clients installs it"
  for module in "$@"; do
    "$python" -c "import $module" 2>/dev/null ||
      skip "Python has no module '$module'; launch/test clients installs it"
  done
}

# Whether Python has PyTorch, which is large and need not be there.
has_torch() { "$python" -c "import torch, safetensors.torch" 2>/dev/null; }

# Runs a script of this folder with its arguments. Sets what `launch` sets.
client() { # client SCRIPT ARGUMENT...
  launch "$python" "$BATS_TEST_DIRNAME/$1.py" "${@:2}"
}

# Trains a step on random samples of a shape, and predicts them. Makes run `run`, samples `inputs.npy`
# and predictions `predictions.jsonl`.
train_on_samples() { # train_on_samples SHAPE classes|values CLASSES SETTING|FILE.yaml...
  client samples "$1" "$2" "$3"
  assert_success
  local settings=() setting
  for setting in "${@:4}"; do
    if [[ $setting != *.yaml ]]; then settings+=(--set); fi
    settings+=("$setting")
  done
  lockstep train --run-dir run --set data.kind=npy --set data.path=. \
    --set data.validation=4 --set training.globalBatch=4 --set training.steps=1 \
    --set optimizer.learningRate=0.01 --progress none "${settings[@]}"
  assert_success
  lockstep predict run inputs.npy --json --precision float32
  assert_success
  cp "$out" predictions.jsonl
}
