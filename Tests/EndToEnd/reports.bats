#!/usr/bin/env bats
# `lockstep report`, `lockstep runs` and `lockstep watch`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

# MARK: report

@test "report: writes one page into the run, with what the model does" {
  copy_trained_run
  lockstep report trained
  assert_success
  assert_output "report  trained/report.html"
  local text
  for text in '<h1>digits-mlp</h1>' 'Learning rate' 'Gradient norm' 'Confusion matrix' \
    'Worst mistakes' 'data:image/png;base64,' 'Time by phase and rank' 'Attempts' '</html>'; do
    assert_file_contains trained/report.html "$text"
  done
  refute grep -Eq 'https?://' trained/report.html
}

@test "report: --no-model needs neither checkpoint nor data, and -o names the file" {
  copy_trained_run
  rm -r trained/checkpoints
  lockstep report trained --no-model -o page.html
  assert_success
  assert_file_not_exist trained/report.html
  refute grep -q 'Confusion matrix' page.html
}

@test "report: without a checkpoint the page says why the model is not shown" {
  copy_trained_run
  rm -r trained/checkpoints
  lockstep report trained
  assert_success
  assert_file_contains trained/report.html "Not shown: .*no checkpoint"
}

@test "report: several runs are compared" {
  lockstep "${short[@]}" --set training.epochs=1 --run-dir a
  lockstep "${short[@]}" --set training.epochs=1 --set optimizer.learningRate=0.01 --run-dir b
  lockstep report a b --no-model
  assert_success
  assert_output "report  report.html"
  assert_file_contains report.html '<td>optimizer.learningRate</td><td>0.2</td><td>0.01</td>'
}

@test "report: 2 ranks share the evaluation" {
  copy_trained_run
  lockstep report trained -o one.html
  ranks 2 report trained -o two.html
  assert_success
  assert_equal "$(grep -c 'taken for' two.html)" "$(grep -c 'taken for' one.html)"
}

@test "report: predicted values are drawn against true ones" {
  awk 'BEGIN { print "x,y"; for (i = 0; i < 200; i++) print i / 100 "," i / 50 }' >line.csv
  lockstep train --set data.kind=csv --set data.path=line.csv --set data.target=values \
    --set data.labelColumn=y --set training.steps=20 --run-dir run
  assert_success
  lockstep report run
  assert_success
  assert_file_contains run/report.html 'Predicted against true'
}

@test "report: a text model continues a text" {
  for _ in {1..40}; do echo 'the quick brown fox jumps over the lazy dog'; done >fox.txt
  lockstep train --set data.kind=text --set data.path=fox.txt --set data.blockSize=16 \
    --set model.kind=gpt --set model.blocks=1 --set model.heads=1 --set model.width=8 \
    --set training.steps=3 --set training.globalBatch=4 --run-dir run
  assert_success
  lockstep report run
  assert_success
  assert_file_contains run/report.html 'Generated text'
}

@test "report: a path without a run is an error (66)" {
  mkdir empty
  lockstep report empty
  assert_failed_with 66 "there is no run at 'empty'"
}

# MARK: runs

# Two short runs of one name, in runs/.
train_two() {
  lockstep "${short[@]}" --set training.epochs=1 --set name=tulips
  lockstep "${short[@]}" --set training.epochs=1 --set name=tulips --set optimizer.learningRate=0.01
}

@test "runs: lists, filters and sorts" {
  train_two
  lockstep runs
  assert_success
  assert_line --index 0 --regexp '^path +status +steps +epochs +loss +accuracy +model +data +ranks +duration$'
  assert_equal "${#lines[@]}" 3
  lockstep runs --filter 'optimizer.learningRate<0.1' --columns name,optimizer.learningRate
  assert_success
  assert_line --index 1 'tulips  0.01'
  assert_equal "${#lines[@]}" 2
  lockstep runs --sort loss --json
  assert_success
  assert_line --index 0 --regexp '^\{"name":"tulips","status":"done","started":[0-9.]+,"steps":20,"epochs":1,"loss":'
  assert_line --index 0 --regexp ',"attempts":1,"path":"[^"]*"\}$'
  lockstep runs --filter status=failed
  assert_success
  assert_output "no runs in 'runs' that fulfil the conditions"
}

@test "runs: a run whose process was killed has died" {
  copy_trained_run
  mkdir runs && mv trained runs/a
  echo running >runs/a/STATUS
  lockstep runs --columns status,attempts
  assert_success
  assert_line --regexp '^died +1$'
}

@test "runs: wrong conditions are refused (64)" {
  lockstep runs --filter learningRate=1
  assert_failure 64
  lockstep runs --sort nothing
  assert_failure 64
  lockstep runs nowhere
  assert_failed_with 66 "there is no directory 'nowhere'"
}

@test "runs compare: shows what differs" {
  train_two
  lockstep runs compare runs/tulips/*
  assert_success
  assert_line --regexp '^optimizer.learningRate +0\.(2|01) +0\.(2|01)$'
  assert_line --regexp '^status +done +done$'
  refute_line --regexp '^training.seed'
}

@test "runs delete: deletes a run only when it is sure" {
  train_two
  local run
  run=$(find runs/tulips -mindepth 1 -maxdepth 1 | head -n 1)
  lockstep runs delete "$run" --dry-run
  assert_success
  assert_line 'nothing is deleted (--dry-run)'
  lockstep runs delete "$run"
  assert_failed_with 64 'needs --yes'
  assert_dir_exist "$run"
  lockstep runs delete "$run" "$run/" --yes
  assert_success
  assert_line --regexp '^deleted 1 run, freed [0-9.]+ [kM]B$'
  assert_dir_not_exist "$run"
}

@test "runs delete: refuses what is no run, and with it all others" {
  copy_trained_run
  mkdir photos && touch photos/a.jpg
  lockstep runs delete trained photos --yes
  assert_failed_with 66 "'photos' is no run"
  assert_dir_exist trained
  assert_file_exist photos/a.jpg
}

@test "runs delete: refuses a run that is running (73)" {
  begin run "$lockstep" "${slow[@]}" --run-dir run
  wait_for_steps run 2
  launch "$lockstep" runs delete run --yes
  assert_failed_with 73 'is locked by a process'
  assert_dir_exist run
  end_processes
}

# MARK: watch

needs_curl() { command -v curl >/dev/null || skip "there is no curl"; }

# Starts the server on a free port, and sets `address` and `token`.
watch() { # watch ARGUMENT...
  needs_curl
  launched=("$lockstep" watch --port 0 "$@")
  "${launched[@]}" </dev/null >"$out" 2>"$err" 3>&- &
  job=$!
  local tries line
  for ((tries = 0; tries < 100; tries++)); do
    line=$(sed -n 's/^watch  //p' "$out")
    [[ -n $line ]] && break
    sleep 0.1
  done
  address=${line%%\?*} token=${line##*token=}
  address=${address//$(hostname)/127.0.0.1}
  [[ -n $address ]]
}

# Requests a page; sets `code` and `output`.
get() { # get PATH [CURL-OPTION...]
  code=$(curl -s --path-as-is -o page -w '%{http_code}' "${address%/}$1" "${@:2}")
  output=$(<page)
}

@test "watch: shows runs, and is ended by a signal with 0" {
  copy_trained_run
  mkdir -p runs/digits && mv trained "runs/digits/a b"
  watch
  get /
  assert_equal "$code" 200
  assert_output --partial 'href="/run/digits/a%20b"'
  get '/run/digits/a%20b'
  assert_equal "$code" 200
  assert_output --partial '<h1>digits-mlp</h1>'
  get '/run/digits/a%20b?view=state'
  assert_output --regexp '^\{"state":"done 1380 [a-z]+","status":"done","step":1380,"loss":'
  kill -INT "$job"
  finish 5
  assert_equal "$status" 0
}

@test "watch: gives nothing but runs, and only reads" {
  copy_trained_run
  mkdir runs && mv trained runs/a
  echo secret >secret.html
  watch
  local path
  for path in /secret.html /run/../secret.html /report/../secret.html /report/%2e%2e/secret.html \
    /report/a/../../secret.html //etc/passwd /run/a/metrics.jsonl /report/a; do
    get "$path"
    assert_equal "$path $code" "$path 404"
    refute_output --partial secret
  done
  get / -X POST
  assert_equal "$code" 405
  get / -X DELETE
  assert_equal "$code" 405
  get / -H 'Host: elsewhere.example'
  assert_equal "$code" 403
  get / -D headers
  assert_file_contains headers "^Content-Security-Policy: default-src 'none'"
  assert_file_contains headers '^X-Content-Type-Options: nosniff'
  kill "$job"
  finish 5
}

@test "watch: other addresses need the token" {
  copy_trained_run
  watch trained --host 0.0.0.0
  get /
  assert_equal "$code" 401
  get "/?token=${token}0"
  assert_equal "$code" 401
  get / -H "Authorization: Bearer $token"
  assert_equal "$code" 200
  get "/?token=$token" -L -c jar -b jar
  assert_equal "$code" 200
  get / -b jar
  assert_equal "$code" 200
  get "//elsewhere.example/?token=$token" -D headers
  assert_file_contains headers '^Location: /elsewhere.example/'
  kill "$job"
  finish 5
}

@test "watch: a taken port is an error (73)" {
  mkdir runs
  watch
  local port=${address##*:}
  lockstep watch --port "${port%/}"
  assert_failed_with 73 'is taken'
  kill "$job"
  wait "$job"
}

@test "watch: a missing directory is an error (66)" {
  lockstep watch nowhere
  assert_failed_with 66 "there is no directory 'nowhere'"
}
