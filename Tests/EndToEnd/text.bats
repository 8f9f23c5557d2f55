#!/usr/bin/env bats
# Texts, tokenizers and token files: `lockstep data tokenize`, training, `eval` and `generate`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

small=(--set model.layers=1 --set model.heads=2 --set model.width=16 --set data.blockSize=16
  --set training.steps=12 --set training.globalBatch=4 --set training.evaluateEverySteps=6
  --set training.evaluationBatches=1)

# Writes a text of 400 lines.
write_text() { # write_text FILE
  local i
  for ((i = 0; i < 400; i++)); do
    echo "Line $i: the ranks share the sum, and it's $((i * 7919 % 1000)) naïve words, don't you see?"
  done >"$1"
}

# Trains a small language model into a run directory.
train_text() { # train_text RUN ARGUMENT...
  lockstep train "$root/configs/shakespeare-gpt.yaml" --run-dir "$1" "${small[@]}" "${@:2}"
}

@test "text: a tokenizer is trained, and training, eval and generate use it" {
  write_text text.txt
  lockstep data tokenize text.txt --vocabulary 400 --output tokens
  assert_success
  assert_line --regexp '^tokenizer +400 tokens'
  assert_line --regexp '^texts +1 file · 1 document · [0-9,]+ bytes$'
  assert_exists tokens/train.bin
  assert_exists tokens/val.bin
  train_text run --set data.path=tokens
  assert_success
  assert_exists run/checkpoints/step-000012/tokenizer.json
  assert_one_line run/metrics.jsonl '^\{"kind":"eval","step":12,.*"perplexity":[0-9.]+,"bitsPerByte":[0-9.]+,'
  mv tokens elsewhere
  lockstep generate run --prompt "Line" --count 30 --top-k 20 --top-p 0.9
  assert_success
  local text=$output
  lockstep generate run --prompt "Line" --count 30 --top-k 20 --top-p 0.9 --stream
  assert_equal "$output" "$text"
  mv elsewhere tokens
  lockstep eval run
  assert_success
  assert_line --regexp '^perplexity +[0-9.]+$'
  assert_line --regexp '^bits/byte +[0-9.]+$'
  lockstep eval run --json
  local expected
  expected=$(grep -o '"samples.*' "$out")
  ranks 2 eval run --json
  assert_equal "$(grep -o '"bitsPerByte":[0-9]*\.[0-9]\{4\}' "$out")" \
    "$(grep -o '"bitsPerByte":[0-9]*\.[0-9]\{4\}' <<<"$expected")"
}

@test "text: token files of both layouts train like the text that they were made of" {
  write_text text.txt
  lockstep data tokenize text.txt --vocabulary 300 -o tokens
  lockstep data tokenize text.txt --tokenizer tokens --layout llmc -o llmc
  assert_success
  train_text direct --set data.path=text.txt --set data.tokenizer=tokens/tokenizer.json
  train_text nanogpt --set data.path=tokens
  train_text llmc-run --set data.path=llmc
  assert_success
  assert_same_losses direct nanogpt
  assert_same_losses direct llmc-run
}

@test "text: a folder, a pattern and JSON Lines are tokenized together" {
  mkdir texts
  write_text texts/one.txt
  printf '{"id": 1, "body": "A document"}\n{"body": "Another\\none"}\n' >lines.jsonl
  lockstep data tokenize texts 'l*.jsonl' --text-field body --vocabulary 300 -o tokens --validation 0
  assert_success
  assert_line --regexp '^texts +2 files · 3 documents'
  assert_not_exists tokens/val.bin
}

@test "text: generate draws from few tokens, reads its prompt, and prints once on 2 ranks" {
  write_text text.txt
  train_text run --set data.path=text.txt
  lockstep generate run --prompt "Line" --count 40 --temperature 0
  assert_success
  local likeliest=$output
  lockstep generate run --prompt "Line" --count 40 --temperature 3 --top-k 1
  assert_equal "$output" "$likeliest"
  lockstep generate run --prompt "Line" --count 40 --temperature 3 --top-p 0.0001
  assert_equal "$output" "$likeliest"
  run bash -c 'printf Line | "$1" generate run --prompt - --count 40 --temperature 0' - "$lockstep"
  assert_output "$likeliest"
  ranks 2 generate run --prompt "Line" --count 40 --temperature 0
  assert_output "$likeliest"
  run bash -c 'printf "\377" | "$1" generate run --prompt -' - "$lockstep"
  assert_failure 65
}

@test "text: generate refuses options that make no sense (64)" {
  for option in --top-k=0 --top-p=0 --top-p=1.5 --temperature=-1 --count=-1; do
    lockstep generate run "$option"
    assert_failed_with 64 "${option%=*}"
  done
}

@test "text: a model of token files without a tokenizer cannot generate (78)" {
  write_text text.txt
  lockstep data tokenize text.txt --vocabulary 300 -o tokens
  rm tokens/tokenizer.json
  train_text run --set data.path=tokens
  assert_success
  lockstep generate run
  assert_failed_with 78 'has no tokenizer'
  lockstep eval run
  assert_line --regexp '^perplexity'
  refute_line --regexp '^bits/byte'
}

@test "text: a tokenizer that was changed in a checkpoint is refused (65)" {
  write_text text.txt
  train_text run --set data.path=text.txt
  lockstep data tokenize text.txt --vocabulary 300 -o tokens
  train_text run2 --set data.path=tokens --set training.steps=6
  sed -i 's/"version":"1.0"/"version":"1.1"/' run2/checkpoints/step-000006/tokenizer.json
  lockstep generate run2
  assert_failed_with 65 'tokenizer.json'
}

# MARK: Broken input

@test "text: a torn line of JSON Lines is refused, with file and line (65)" {
  printf '{"text": "good"}\n{"text": "to' >torn.jsonl
  lockstep data tokenize torn.jsonl -o tokens
  assert_failed_with 65 'torn.jsonl: line 2 is not a JSON object'
  assert_not_exists tokens/train.bin
  train_text run --set data.path=torn.jsonl
  assert_failed_with 65 'torn.jsonl: line 2 is not a JSON object'
}

@test "text: what is not UTF-8 is refused, with byte and line (65)" {
  printf 'good\nb\377d\n' >bad.txt
  lockstep data tokenize bad.txt -o tokens
  assert_failed_with 65 'bad.txt: byte 6 is 255, which is not UTF-8 there \(line 2\)'
}

@test "text: a token beyond the vocabulary is refused, with its place (65)" {
  write_text text.txt
  lockstep data tokenize text.txt --vocabulary 300 -o tokens
  printf '\377\1' >>tokens/train.bin
  train_text run --set data.path=tokens
  assert_failed_with 65 'train.bin: token 511 at byte [0-9]+ is out of range: the vocabulary has 300'
}

@test "text: a missing text, tokenizer or folder is an error (66)" {
  lockstep data tokenize nowhere.txt -o tokens
  assert_failed_with 66 'nowhere.txt: there is no text'
  echo text >text.txt
  lockstep data tokenize text.txt --tokenizer nowhere.json -o tokens
  assert_failed_with 66 'nowhere.json'
  train_text run --set data.path=text.txt --set data.tokenizer=nowhere.json
  assert_failed_with 66 "'data.tokenizer' is '.*nowhere.json'"
}

@test "text: an output that cannot be created is an error (73)" {
  echo text >text.txt
  lockstep data tokenize text.txt -o text.txt/tokens
  assert_failed_with 73 'text.txt'
}
