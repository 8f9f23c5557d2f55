#!/usr/bin/env bats
# A program with a model and data of its own: what launch/new makes, and what the article shows, built as a
# user builds it.
#
# The build shares the products of this checkout's own build in .build, which has compiled all but the program.

load ../bats

articles=$root/Sources/Lockstep/Lockstep.docc

setup_file() {
  local root
  root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  # shellcheck source=launch/lib/setup.sh
  source "$root/launch/lib/setup.sh"
  allow_mpirun_as_root
  # There may be more ranks than cores: a waiting rank must yield its core.
  export OMPI_MCA_mpi_yield_when_idle=1
  export package=$BATS_FILE_TMPDIR/spirals
  "$root/launch/new" "$package"
  build_package
}

# Builds the package with the products of the checkout.
build_package() {
  swift build --package-path "$package" --scratch-path "$root/.build" -c release --product spirals \
    >"$BATS_FILE_TMPDIR/log" 2>&1 3>&- || { cat "$BATS_FILE_TMPDIR/log" && return 1; }
  cp "$root/.build/release/spirals" "$BATS_FILE_TMPDIR/program"
}

setup() {
  program=$BATS_FILE_TMPDIR/program
  cd "$BATS_TEST_TMPDIR" || return
  export TMPDIR=$BATS_TEST_TMPDIR OMPI_MCA_btl_vader_backing_directory=$BATS_TEST_TMPDIR
}

# Prints a block of Swift of the article, by its number.
block() { # block NUMBER
  awk -v number="$1" '/^```swift$/ { n++; inside = n == number; next }
    /^```$/ { inside = 0 } inside' "$articles/own-model.md"
}

@test "own program: the article shows what launch/new writes" {
  diff <(block 1) "$package/Sources/spirals/main.swift"
  run wc -l <"$package/Sources/spirals/main.swift"
  assert [ "$output" -le 24 ]
}

@test "own program: trains, resumes, evaluates and predicts" {
  run timeout 60 "$program" train "$package/config.yaml" --set training.epochs=2 --run-dir run \
    --max-steps 25
  assert_success
  assert_line --regexp '^model +spirals · [0-9,]+ parameters$'
  assert_line --regexp '^data +spirals · 1,000 training'
  run timeout 60 "$program" train "$package/config.yaml" --set training.epochs=2 --run-dir run
  assert_success
  assert_line --regexp '^resuming after step 25 from '
  assert_line --partial 'done in'
  run timeout 60 "$program" eval run
  assert_success
  assert_line --regexp '^samples +300 \(validation\)$'
  printf '0.2,0.1\n-0.5,1\n' >points.csv
  run timeout 60 "$program" predict run points.csv
  assert_success
  assert_line --regexp $'^points.csv\t1\t[01]\t'
  run timeout 60 "$program" graph
  assert_success
  assert_line --partial '[64, 2]'
  run timeout 60 "$program" config show
  assert_line '  kind: spirals'
  run timeout 60 "$program" train --help
  assert_line --partial 'USAGE: program train'
}

@test "own program: learns its data, also on 2 ranks" {
  run timeout 90 mpirun -np 2 --oversubscribe "$program" train "$package/config.yaml" --run-dir run
  assert_success
  run timeout 60 mpirun -np 2 --oversubscribe "$program" eval run --json
  assert_success
  assert_output --regexp '"accuracy":(1|0\.9)'
}

@test "own program: lockstep says whose the checkpoint is" {
  run timeout 60 "$program" train "$package/config.yaml" --set training.epochs=1 --run-dir run
  assert_success
  run timeout 60 "$root/.build/release/lockstep" eval run
  assert_failure 78
  assert_output --partial "was trained by a program with its own model 'spirals': use that program"
  run timeout 60 "$root/.build/release/lockstep" predict run points.csv
  assert_failure 78
}

@test "own program: settings of its own are keys, as in the article" {
  block 2 >"$package/Sources/spirals/main.swift"
  build_package
  run timeout 60 "$program" train --set model.hidden=32 --set data.turns=1 --set training.epochs=2 \
    --run-dir wide --set name=spirals
  assert_success
  assert_line --regexp '^model +spirals · 1,218 parameters$'
  assert_file_contains wide/config.yaml '^  turns: 1.0$'
  run timeout 60 "$program" train --set model.hiden=32
  assert_failure 78
  assert_output --partial "did you mean 'model.hidden'"
  run timeout 60 "$program" train --set data.turns=9
  assert_failure 78
  assert_output --partial "from 0.5 to 4.0"
  run timeout 60 "$program" config show --keys
  assert_line --regexp '^ +spirals: how often the spirals turn$'
}

@test "own program: README's package trains, saves and loads, without MPI" {
  # Prints a block of Swift of README, from the line that matches to its end.
  readme_block() { # readme_block LINE
    awk -v line="$1" '$0 == line { inside = 1 } /^```$/ { inside = 0 } inside' "$root/README.md"
  }
  mkdir -p xor/Sources/xor
  readme_block '// swift-tools-version: 6.2' |
    sed -e "s|path: \"../lockstep\"|path: \"$root\"|" -e "s|package: \"lockstep\"|package: \"${root##*/}\"|" \
      >xor/Package.swift
  readme_block 'import LockstepTensors' >xor/Sources/xor/main.swift
  run wc -l <xor/Sources/xor/main.swift
  assert [ "$output" -le 26 ]
  swift build --package-path xor --scratch-path "$root/.build" -c release --product xor >log 2>&1 3>&- ||
    { cat log && return 1; }
  run timeout 60 "$root/.build/release/xor"
  assert_success
  assert_output 'tensor([0, 1, 1, 0], int32)'
  assert_file_exists xor.safetensors
  run ldd "$root/.build/release/xor"
  assert_output --partial libopenblas
  refute_output --partial libmpi
}
