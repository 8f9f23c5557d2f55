#!/usr/bin/env bats
# `lockstep data fetch`, from a server on this computer that fails in several ways.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

setup_file() {
  command -v python3 >/dev/null && command -v curl >/dev/null || return 0
  mkdir "$BATS_FILE_TMPDIR/files"
  seq 20000 >"$BATS_FILE_TMPDIR/files/numbers.txt"
  timeout 300 python3 "$BATS_TEST_DIRNAME/file-server.py" "$BATS_FILE_TMPDIR/files" \
    "$BATS_FILE_TMPDIR/port" >"$BATS_FILE_TMPDIR/requests" 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/server"
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    if [[ -s $BATS_FILE_TMPDIR/port ]]; then return; fi
    sleep 0.1
  done
}

teardown_file() {
  [[ ! -s $BATS_FILE_TMPDIR/server ]] || kill "$(<"$BATS_FILE_TMPDIR/server")"
}

# Sets `numbers` to the address of a file, served in a way, and `sum` to its SHA-256.
use_server() { # use_server WAY
  [[ -s $BATS_FILE_TMPDIR/port ]] || skip "there is no python3 or no curl"
  numbers=http://127.0.0.1:$(<"$BATS_FILE_TMPDIR/port")/$1/numbers.txt
  sum=$(sha256sum "$BATS_FILE_TMPDIR/files/numbers.txt" | cut -d ' ' -f 1)
}

assert_fetched() {
  assert_success
  cmp data/numbers.txt "$BATS_FILE_TMPDIR/files/numbers.txt"
  assert_not_exists data/numbers.txt.part
}

# The request that the server got last.
last_request() { tail -n 1 "$BATS_FILE_TMPDIR/requests"; }

@test "fetch: downloads a file once, and prints its SHA-256" {
  use_server good
  lockstep data fetch "$numbers"
  assert_fetched
  assert_output "data/numbers.txt  SHA-256 $sum"
  local requests
  requests=$(wc -l <"$BATS_FILE_TMPDIR/requests")
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
  assert_output --partial 'is there, and has the right SHA-256'
  assert_line_count "$BATS_FILE_TMPDIR/requests" "$requests"
}

@test "fetch: resumes a download that was interrupted" {
  use_server good
  mkdir data
  head -c 50000 "$BATS_FILE_TMPDIR/files/numbers.txt" >data/numbers.txt.part
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
  assert_equal "$(last_request)" "/good/numbers.txt bytes=50000-"
}

@test "fetch: continues where a server ends the connection" {
  use_server cut
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
}

@test "fetch: begins again where a server cannot resume, or the beginning is wrong" {
  use_server no-range
  mkdir data
  echo beginning >data/numbers.txt.part
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
  use_server good
  rm data/numbers.txt
  echo beginning >data/numbers.txt.part
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
  rm data/numbers.txt
  head -c 200000 /dev/zero >data/numbers.txt.part
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_fetched
}

@test "fetch: another file is refused, with both checksums (65)" {
  use_server wrong
  lockstep data fetch "$numbers" --sha256 "$sum"
  assert_failed_with 65 "numbers.txt: has another file: its SHA-256 is [0-9a-f]{64} instead of $sum"
  assert_not_exists data/numbers.txt
  assert_not_exists data/numbers.txt.part
}

@test "fetch: a missing file, and a server that says nothing, are errors (74)" {
  use_server good
  lockstep data fetch "$numbers.zip"
  assert_failed_with 74 'numbers.txt.zip: .*404'
  use_server stop
  lockstep data fetch "$numbers"
  assert_failed_with 74 'stop/numbers.txt: '
  lockstep data fetch http://127.0.0.1:1/numbers.txt
  assert_failed_with 74 '127.0.0.1:1/numbers.txt: '
}

@test "fetch: a known data set comes from a mirror, and trains" {
  local shakespeare=$root/../shared/data/tinyshakespeare/input.txt
  [[ -f $shakespeare ]] || skip "there is no $shakespeare"
  use_server good
  cp "$shakespeare" "$BATS_FILE_TMPDIR/files"
  lockstep data fetch tinyshakespeare --mirror "${numbers%/*}"
  assert_success
  assert_line --regexp '^train +lockstep train configs/shakespeare-gpt.yaml --set data.path=data/tinyshakespeare/input.txt$'
  lockstep train "$root/configs/shakespeare-gpt.yaml" --set data.path=data/tinyshakespeare/input.txt \
    --dry-run
  assert_success
}

@test "fetch: unknown names and wrong options are refused (64)" {
  lockstep data fetch minst
  assert_failed_with 64 "'minst' is none of mnist, fashion-mnist, cifar10, tinyshakespeare"
  lockstep data fetch https://host/
  assert_failed_with 64 'does not end with the name of a file'
  lockstep data fetch mnist --sha256 12
  assert_failed_with 64 '.*sha256 is for'
}

@test "fetch: without curl the message says how to get it (69)" {
  mkdir bin
  ln -s "$(command -v env)" bin/env
  launch env PATH="$PWD/bin" "$lockstep" data fetch mnist
  assert_failed_with 69 'curl'
}
