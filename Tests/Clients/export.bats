#!/usr/bin/env bats
# Exported models: ONNX Runtime and PyTorch compute what `lockstep predict` does.

load clients

# The model of `run` gives the same predictions in both programs.
assert_exports() {
  lockstep checkpoint export run --onnx
  assert_success
  client predictions onnx model.onnx
  assert_success
  if has_torch; then
    lockstep checkpoint export run --pytorch
    assert_success
    client predictions torch model-pytorch
    assert_success
  fi
}

# Trains a model by name on samples of a shape, and exports it.
assert_model_exports() { # assert_model_exports SHAPE MODEL SETTING|FILE.yaml...
  needs_python numpy onnx onnxruntime
  rm -rf run
  train_on_samples "$1" classes 4 "model.kind=$2" "${@:3}"
  assert_exports
}

@test "export: mlp and perceptron, with each normalization of inputs" {
  assert_model_exports 1x6x5 mlp 'model.hidden=[9,7]' model.activation=tanh model.dropout=0.2 \
    data.normalize=standardizeFeatures
  assert_model_exports 3x6x5 mlp model.activation=sigmoid data.normalize=standardizeChannels
  assert_model_exports 7 perceptron data.normalize=standardize
}

@test "export: lenet and cnn" {
  assert_model_exports 1x28x28 lenet
  assert_model_exports 3x12x12 cnn
}

@test "export: vgg of each depth" {
  for depth in 11 13 16 19; do assert_model_exports 3x32x32 "vgg$depth"; done
}

@test "export: resnet of each depth, for small and for large images" {
  for depth in 18 34 50; do assert_model_exports 3x32x32 "resnet$depth"; done
  assert_model_exports 3x64x64 resnet18
}

@test "export: mobilenetV2, and vit" {
  assert_model_exports 3x32x32 mobilenetV2 model.widthFactor=0.35
  assert_model_exports 3x64x64 mobilenetV2
  assert_model_exports 3x16x16 vit model.blocks=2 model.width=32 model.dropout=0.1
}

@test "export: a list of all layers" {
  cat >layers.yaml <<'END'
model:
  layers:
    - conv 8 3 padding same
    - batchNorm
    - relu
    - residual [conv 8 3 padding same groups 2, layerNorm, elu, conv 8 3 padding same, leakyRelu]
    - pool 2 stride 1
    - avgPool 3 stride 2 padding 1
    - silu
    - reshape 4 12 5
    - maxPool 2
    - gelu
    - globalPool
    - linear 6
    - softplus
    - residual [linear 6, batchNorm, tanh]
    - dropout 0.1
    - sigmoid
    - residual [relu6, hardswish, prelu]
    - mish
    - selu
END
  assert_model_exports 2x12x11 layers layers.yaml
  assert_model_exports 1x7x5 layers 'model.layers=[reshape 7 5, lstm 6 layers 2, prelu, gru 5 layers 2, globalPool]'
  assert_model_exports 1x4x5 layers 'model.layers=[flatten, linear 12, reshape 3 2 2, conv 4 1, flatten]'
}

@test "export: values in their unit, and two classes with one output" {
  needs_python numpy onnx onnxruntime
  train_on_samples 5 values 3 model.kind=mlp data.normalize=standardize
  assert_exports
  rm -r run
  train_on_samples 5 classes 2 model.kind=mlp training.loss=binaryCrossEntropyWithLogits
  assert_exports
}

@test "export: the averaged weights, after training in bfloat16" {
  assert_model_exports 6 mlp training.emaDecay=0.5 training.precision=bfloat16 training.steps=4
}

@test "export: gpt, llama, lstm and lists of layers with an embedding continue a text alike" {
  needs_python numpy onnx onnxruntime
  local model settings
  for _ in {1..40}; do echo "the quick brown fox jumps over the lazy dog and runs"; done >text.txt
  for model in gpt llama lstm embedding gru; do
    rm -rf run
    settings=(--set model.kind=layers)
    case $model in
      gpt) settings=(--set model.kind=gpt) ;;
      llama) settings=(--set model.kind=llama --set model.keyValueHeads=2) ;;
      lstm) settings=(--set model.kind=lstm --set model.width=24 --set model.tiedHead=true) ;;
      embedding)
        settings+=(--set 'model.layers=[embedding 12, layerNorm, linear 16, gelu, residual [linear 16]]')
        ;;
      gru) settings+=(--set 'model.layers=[embedding 12, rmsNorm, gru 16 layers 2]') ;;
    esac
    lockstep train --run-dir run --set data.kind=text --set data.path=text.txt \
      --set data.blockSize=16 --set training.steps=20 \
      --set training.globalBatch=8 --set optimizer.kind=adamw --set optimizer.learningRate=0.01 \
      --progress none "${settings[@]}"
    assert_success
    lockstep generate run --prompt "the quick brown " --count 20 --temperature 0
    assert_success
    local expected=$output
    lockstep checkpoint export run --onnx
    assert_success
    client text onnx model.onnx "the quick brown " 20
    assert_output "$expected"
    if has_torch; then
      lockstep checkpoint export run --pytorch
      assert_success
      client text torch model-pytorch "the quick brown " 20
      assert_output "$expected"
    fi
  done
}
