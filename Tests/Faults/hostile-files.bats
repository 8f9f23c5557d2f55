#!/usr/bin/env bats
# Damaged and malicious files, made from good ones by a mutator. The command ends with a documented
# exit code, in time and with little memory; it never crashes.
# shellcheck disable=SC2016 # What stands in single quotes is expanded by another shell.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults
load ../EndToEnd/data

# The command reads a damaged file. No process may take 8 GB or 20 s.
reads() { # reads COMMAND...
  launch bash -c 'ulimit -v 8000000; exec timeout -k 1 20 "$@"' bash "$lockstep" "$@"
  case $status in
    0) return ;;
    64 | 65 | 66 | 73 | 78 | 80) assert_one_line "$err" '^[Ee]rror: ' ;;
    *) return 1 ;;
  esac
}

# Reads COUNT variants of FILE, each made with a seed. The command reads them in the folder `hostile`.
read_variants() { # read_variants COUNT FILE COMMAND...
  local i copy directory=${2%/*} base=$((${FAULTS_SEED:-1} * 1000000))
  # The good file is accepted: otherwise its variants would say nothing.
  rm -rf hostile
  cp -r "$directory" hostile
  reads "${@:3}"
  assert_success
  for ((i = 1; i <= $1; i++)); do
    rm -rf hostile
    cp -r "$directory" hostile
    copy=hostile/${2##*/}
    "$BATS_SUITE_TMPDIR/mutate" mix $((base + i)) "$copy"
    try "seed $((base + i)) of ${2##*/}" reads "${@:3}"
  done
}

@test "hostile files: IDX" {
  write_idx good
  local file
  for file in train-images-idx3-ubyte train-labels-idx1-ubyte; do
    read_variants "$(size 6 300)" "good/$file" train "$digits" --dry-run --set data.kind=idx \
      --set data.path=hostile --set data.validation=1
  done
  report "hostile IDX file"
}

@test "hostile files: NPY" {
  mkdir good
  write_npy good/inputs.npy '<f4' '(4, 2)' '\0\0\200\77\0\0\0\100\0\0\200\77\0\0\0\100\0\0\200\77\0\0\0\100\0\0\200\77\0\0\0\100'
  write_npy good/targets.npy '<i8' '(4,)' '\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0'
  lockstep train "$digits" --dry-run --set data.kind=npy --set data.path=good --set data.validation=1
  assert_success
  local file
  for file in inputs.npy targets.npy; do
    read_variants "$(size 6 300)" "good/$file" train "$digits" --dry-run --set data.kind=npy \
      --set data.path=hostile --set data.validation=1
  done
  report "hostile NPY file"
}

@test "hostile files: CSV, plain and compressed" {
  mkdir good
  for i in {1..30}; do echo "$i,0.5,-$i.25e1,\"3\",$((i % 3))"; done >good/samples.csv
  gzip -k good/samples.csv
  local file
  for file in samples.csv samples.csv.gz; do
    lockstep train "$digits" --dry-run --set data.kind=csv --set "data.path=good/$file" \
      --set data.validation=5
    assert_success
    read_variants "$(size 6 300)" "good/$file" train "$digits" --dry-run --set data.kind=csv \
      --set "data.path=hostile/$file" --set data.validation=5
  done
  report "hostile CSV or gzip file"
}

@test "hostile files: text and token files" {
  mkdir good
  for i in {1..40}; do echo "line $i: the quick brown fox – π"; done >good/input.txt
  read_variants "$(size 6 300)" good/input.txt train "$root/configs/shakespeare-gpt.yaml" --dry-run \
    --set data.path=hostile/input.txt --set data.blockSize=16 --set model.width=16 \
    --set model.heads=2 --set model.blocks=1
  report "hostile text file"
}

@test "hostile files: safetensors" {
  mkdir good
  cp "$root/Tests/CheckpointingTests/Goldens/mlp.safetensors" good/weights.safetensors
  read_variants "$(size 10 800)" good/weights.safetensors \
    checkpoint info hostile/weights.safetensors
  report "hostile safetensors file"
}

@test "hostile files: configurations" {
  mkdir good
  "$lockstep" config show "$digits" >good/config.yaml
  read_variants "$(size 10 800)" good/config.yaml train hostile/config.yaml --dry-run
  report "hostile configuration"
}

@test "hostile files: samples for predict" {
  copy_trained_run
  mkdir good
  for _ in {1..5}; do printf '%s\n' "$(seq -s , 64)"; done >good/samples.csv
  read_variants "$(size 6 300)" good/samples.csv predict trained hostile/samples.csv
  report "hostile file for predict"
}

# The manifest of a checkpoint is made to fit its damaged files, as whoever sends one can do.
@test "hostile files: checkpoints with fitting checksums" {
  "$lockstep" "${tiny[@]}" --max-steps 2 --run-dir good >/dev/null
  write_manifest good/checkpoints/step-000002
  lockstep checkpoint info good
  assert_success
  local i file files=(state.json signature.json config.json model.safetensors optimizer.safetensors)
  for ((i = 1; i <= $(size 10 600); i++)); do
    rm -rf run
    cp -r good run
    file=${files[i % ${#files[@]}]}
    "$BATS_SUITE_TMPDIR/mutate" mix "$i" "run/checkpoints/step-000002/$file"
    write_manifest run/checkpoints/step-000002
    try "seed $i of $file" reads "${tiny[@]}" --max-steps 4 --run-dir run
    try "seed $i of $file, eval" reads eval run
  done
  report "hostile checkpoint"
}

# Writes the sizes and checksums of the files of a checkpoint into its manifest, and its own.
write_manifest() { # write_manifest CHECKPOINT
  local manifest=$1/manifest.json name bytes crc
  grep -o '"name":"[^"]*"' "$manifest" | cut -d '"' -f 4 | while read -r name; do
    bytes=$(stat -c %s "$1/$name")
    crc=$(crc32 <"$1/$name")
    sed -i "s/\(\"name\":\"$name\",\"bytes\":\)[0-9]*,\"crc32\":\"[0-9a-f]*\"/\1$bytes,\"crc32\":\"$crc\"/" \
      "$manifest"
  done
  sed -i 's/],"crc32":"[0-9a-f]*"}$/]}/' "$manifest"
  crc=$(tr -d '\n' <"$manifest" | crc32)
  sed -i "s/]}\$/],\"crc32\":\"$crc\"}/" "$manifest"
}

# gzip's trailer has it.
crc32() { gzip -c | tail -c 8 | head -c 4 | od -An -tx4 --endian=little | tr -d ' '; }
