#!/usr/bin/env bats
# The commands of README and of the articles run as they are written, and the documentation opens.
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
  mkdir -p somewhere texts data/tinyshakespeare path/to FOLDER home
  seq -s, 64 >digits.csv
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
  sweep) exec "$lockstep" "\$@" "\${small[@]}" ;;
  bench) exec "$lockstep" "\$@" --seconds 0.1 ;;
  generate) exec "$lockstep" "\$@" --count 5 ;;
  *) exec "$lockstep" "\$@" ;;
esac
SCRIPT
  chmod +x bin/lockstep
  printf '#!/usr/bin/env bash\nexec %s --oversubscribe "$@"\n' "$(command -v mpirun)" >bin/mpirun
  command -v dot >/dev/null || printf '#!/usr/bin/env bash\nexec cat\n' >bin/dot
  chmod +x bin/*
  ln -s "$PWD/bin/lockstep" .build/release/lockstep
  ln -s "$BATS_SUITE_TMPDIR/data-parallel-example" .build/release/data-parallel-example
}

# What no test here runs: a pattern, and why.
skipped=(
  '^\./launch/(run|test)$' 'Tests/Launch runs them with stand-ins; a build takes minutes'
  '^launch/mpirun-hosts |^sbatch ' 'Tests/Launch runs them with stand-ins; nodes.bats runs the first on hosts'
  '^launch/(pbs|lsf|flux)\.sh ' 'Tests/Launch runs them with stand-ins for the schedulers'
  '^(launch/package|docker|apptainer|kubectl)\b' 'launch/test package makes and runs the package'
  '^LOCKSTEP_MPI=|^mpiexec ' 'launch/test mpich builds and trains with MPICH'
  '^swift (build|run|test) ' 'a build takes minutes; Tests/OwnProgram builds and runs packages'
  'lockstep launch .*--hosts ' 'launching-nodes.bats launches on nodes'
  '/lockstep-examples' 'ExamplesTests runs every example'
  '/spirals ' 'Tests/OwnProgram builds and runs it'
  '/?lockstep watch' 'it serves until it is stopped'
  'lockstep data fetch ' 'fetch.bats downloads from a server of its own'
  '^Benchmarks/' 'they train for minutes'
)

# Prints the commands of a document, one on each line, without comments. RUN is the newest run, FILE and
# CONFIG files that fit.
commands() { # commands FILE
  local index pattern
  for ((index = 0; index < ${#skipped[@]}; index += 2)); do pattern+="${pattern+|}${skipped[index]}"; done
  # shellcheck disable=SC2016 # The script that is printed expands it.
  sed -n '/^```sh$/,/^```$/{/^```/!p}' "$1" | sed -e ':a' -e '/\\$/N; s/ *\\\n */ /; ta' |
    sed -e 's/\(^\| \+\)#.*//' -e '/^$/d' | grep -Ev "$pattern" |
    sed -e 's|\bRUN\b|$(dirname "$(ls -td runs/*/*/checkpoints \| head -n 1)")|g' -e 's|\bFILE\b|digits.csv|' \
      -e 's|\bCONFIG\b|configs/digits-mlp.yaml|'
}

# Runs the commands of a document, and checks how many there were.
run_commands() { # run_commands FILE COUNT
  write_files
  commands "$1" >commands.sh
  assert_equal "$(wc -l <commands.sh)" "$2"
  limit=400 HOME=$PWD/home PATH=$PWD/bin:$PATH launch bash -eux commands.sh
  assert_success
}

articles=$root/Sources/Lockstep/Lockstep.docc

@test "documentation: the commands of README run" {
  needs_mpirun
  run_commands "$root/README.md" 27
}

@test "documentation: the commands of 'How backward works' run" {
  run_commands "$articles/backward.md" 1
  assert_file_exists graph.svg
}

@test "documentation: the commands of 'Training on several ranks' run" {
  needs_mpirun
  run_commands "$articles/data-parallel.md" 2
}

@test "documentation: the commands of 'Scaling' run" {
  needs_mpirun
  run_commands "$articles/scaling.md" 4
  assert_file_exists predict-mlp/predict.svg
}

@test "documentation: the commands of 'Export and compare' run" {
  run_commands "$articles/export.md" 8
}

@test "documentation: the commands of 'Images' run" {
  run_commands "$articles/images.md" 4
}

@test "documentation: the commands of 'Look at runs' run" {
  run_commands "$articles/reports.md" 9
}

@test "documentation: the commands of 'Mixed precision' run" {
  run_commands "$articles/mixed-precision.md" 2
}

@test "documentation: the commands of 'Train on your own text' run" {
  run_commands "$articles/text.md" 6
}

@test "documentation: the commands of 'Choose settings' run" {
  run_commands "$articles/choosing-settings.md" 4
}

@test "documentation: the commands of 'Convolution by Winograd's algorithm' run" {
  run_commands "$articles/winograd.md" 1
}

@test "documentation: the commands of 'Your own data' run" {
  run_commands "$articles/your-own-data.md" 1
  assert_line --regexp '^task   3 classes: setosa \(18\), versicolor \(18\), virginica \(18\)'
}

@test "documentation: every document with commands has a test" {
  local document
  for document in "$root/README.md" "$articles"/*.md; do
    [[ -n $(commands "$document") ]] || continue
    grep -q "/${document##*/}\" [0-9]" "$BATS_TEST_FILENAME" ||
      grep -q " ${document##*/} >" "$root/Tests/EndToEnd/fine-tuning.bats" ||
      fail "no test runs the commands of $document"
  done
}

@test "documentation: the pages of commands and settings are made, and open without a server" {
  local page folders
  lockstep reference --docc articles --man manual
  assert_success
  for page in commands settings lockstep-data-fetch setting-training-epochs setting-name; do
    assert_file_exists "articles/$page.md"
  done
  assert_file_contains articles/setting-training-epochs.md '^| allowed | an integer from 1 to '
  assert_file_contains manual/man1/lockstep-train.1 'max\\-steps'
  assert_file_contains manual/man5/lockstep-settings.5 '^.B training.epochs$'
  if command -v groff >/dev/null; then
    for page in manual/man*/*; do
      launch groff -man -Tutf8 -ww -z "$page"
      assert_success
      refute_stderr_at_all
    done
  fi

  command -v docc >/dev/null || skip "there is no docc"
  command -v chromium >/dev/null || skip "there is no chromium"
  # shellcheck source=launch/lib/local-site.sh
  source "$root/launch/lib/local-site.sh"
  copy_catalog "$articles" Lockstep.docc
  cp articles/* Lockstep.docc
  docc convert Lockstep.docc --output-path site >/dev/null 2>&1
  make_site_local site
  assert_file_contains site/index.html 'url=documentation/lockstep/index.html'
  for page in tutorial setting-training-epochs lockstep-train; do
    launch chromium --headless=new --no-sandbox --user-data-dir="$PWD/browser" \
      --virtual-time-budget=10000 --dump-dom "file://$PWD/site/documentation/lockstep/$page/index.html"
    assert_output --partial 'class="content"'
    assert_output --partial 'Lockstep'
    refute_output --partial "The page you"
  done
  assert_output --partial 'Trains the model that a configuration describes'
}

@test "command line: the shells accept the completions" {
  local shell
  for shell in bash zsh fish; do
    lockstep --generate-completion-script "$shell"
    assert_success
    assert_output --partial "dry-run"
    cp "$out" "completions.$shell"
    command -v "$shell" >/dev/null || continue
    launch "$shell" -n "completions.$shell"
    assert_success
  done
}

