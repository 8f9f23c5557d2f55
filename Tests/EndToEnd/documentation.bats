#!/usr/bin/env bats
# The commands of README and of the articles on data run as they are written.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

samples=$root/Tests/DataLoadingTests/Goldens

# Everything that the commands name, in the current folder.
write_files() {
  local i kind
  ln -s "$root/configs" configs
  awk -v OFS=, 'BEGIN {
    print "petal,sepal,species"
    split("setosa versicolor virginica", names, " ")
    for (i = 0; i < 60; i++) print 1 + i / 20, 5 + i % 7 / 10, names[int(i / 20) + 1] }' >iris.csv
  cut -d, -f 1,2 iris.csv >flowers.csv
  for kind in colors grey; do
    mkdir -p "photos/$kind"
    for i in {1..8}; do cp "$samples/Images/$kind.jpg" "photos/$kind/$i.jpg"; done
  done
  mkdir -p somewhere texts data/tinyshakespeare path/to FOLDER
  cp photos/grey/1.jpg photo.jpg
  cp photo.jpg somewhere/new.jpg
  for i in {1..8}; do echo "ROMEO:" && cat "$samples/corpus.txt"; done >input.txt
  cp input.txt data/tinyshakespeare/input.txt
  cp input.txt texts/a.txt
  printf '{"text": "A document."}\n' >texts/b.jsonl
  ln -s "$samples/gpt2" path/to/gpt2
  { printf '\0\0\10\3\0\0\27\160\0\0\0\2\0\0\0\2' && head -c 24000 /dev/urandom; } >FOLDER/train-images-idx3-ubyte
  { printf '\0\0\10\1\0\0\27\160' && head -c 6000 /dev/zero; } >FOLDER/train-labels-idx1-ubyte

  # Trains for two steps only, and with small images and blocks.
  mkdir -p bin .build/release
  cat >bin/lockstep <<SCRIPT
#!/usr/bin/env bash
small=(--set training.steps=2 --set training.globalBatch=4)
case "\$1 \$*" in
  *images-resnet18*) small+=(--set data.imageSize=32 --set data.resize=36) ;;
  *shakespeare-gpt*) small+=(--set data.blockSize=16 --set model.blocks=1 --set model.width=16 --set training.evaluateEverySteps=2) ;;
esac
case \$1 in
  train) exec "$lockstep" "\$@" "\${small[@]}" ;;
  generate) exec "$lockstep" "\$@" --count 5 ;;
  *) exec "$lockstep" "\$@" ;;
esac
SCRIPT
  chmod +x bin/lockstep
  ln -s "$PWD/bin/lockstep" .build/release/lockstep
}

# Prints the commands of a document that match a pattern, one on each line, without comments. RUN is the
# newest run.
commands() { # commands FILE PATTERN
  # shellcheck disable=SC2016 # The script that is printed expands it.
  sed -n '/^```sh$/,/^```$/{/^```/!p}' "$1" | sed -e ':a' -e '/\\$/N; s/ *\\\n */ /; ta' |
    sed 's/ \+#.*//' | grep -E "$2" | sed 's|\bRUN\b|$(ls -td runs/*/* \| head -n 1)|'
}

# Runs the commands of a document, and checks how many there were.
run_commands() { # run_commands FILE PATTERN COUNT
  write_files
  commands "$1" "$2" >commands.sh
  assert_equal "$(wc -l <commands.sh)" "$3"
  PATH=$PWD/bin:$PATH launch bash -eux commands.sh
  assert_success
}

@test "documentation: the commands of 'Your own data' run" {
  run_commands "$root/Sources/Lockstep/Lockstep.docc/your-own-data.md" '^lockstep ' 1
  assert_line --regexp '^task   3 classes: setosa \(18\), versicolor \(18\), virginica \(18\)'
}

@test "documentation: the commands of 'Train on your own text' run" {
  # Downloads are tested against a server of our own.
  run_commands "$root/Sources/Lockstep/Lockstep.docc/text.md" '^lockstep (data tokenize|train|generate) ' 5
}

@test "documentation: the commands of 'Images' run" {
  run_commands "$root/Sources/Lockstep/Lockstep.docc/images.md" '^lockstep ' 4
}

@test "documentation: the commands of 'Look at runs' run" {
  run_commands "$root/Sources/Lockstep/Lockstep.docc/reports.md" '^lockstep ' 9
}

@test "documentation: the commands of README on data run" {
  sed -n '/^## MNIST/,/^## Stop and resume/p' "$root/README.md" >readme.md
  run_commands "$PWD/readme.md" '^.build/release/lockstep (train|predict|generate|data (tokenize|preview|pack)) ' 14
}
