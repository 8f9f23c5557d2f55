#!/usr/bin/env bats
# Closed and full standard streams, and torn lines in the log of metrics.
# shellcheck disable=SC2016 # What stands in single quotes is expanded by another shell.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

make_whole() {
  lockstep "${tiny[@]}" --run-dir whole
  assert_success
}

redirected() { # redirected SHELL-COMMAND
  renew ''
  launch bash -o pipefail -c "$1" bash "$lockstep" "${tiny[@]}" --run-dir run
  ((status == 0)) && same_newest_weights whole run && assert_logs_every_step run 12
}

@test "streams: closed, cut off or full, training continues to the same bits" {
  make_whole
  local command
  for command in '"$@" >&-' '"$@" 2>&-' '"$@" >&- 2>&- <&-' '"$@" >/dev/full' \
    '"$@" >/dev/full 2>/dev/full' '"$@" | head -n 1' '"$@" --progress bar | head -n 1' \
    '"$@" 2>&1 | true'; do
    try "$command" redirected "$command"
  done
  report "closed or full output"
}

@test "streams: the log of metrics continues behind a torn line, and resumes without it" {
  make_whole
  lockstep "${tiny[@]}" --max-steps 4 --run-dir before
  local tear
  # Ends of a log: half a line, one without its end, foreign text, zeros as after a loss of power.
  for tear in '{"kind":"step","st' '{"kind":"step","step":5,"epoch":2,"loss":1}' 'x' '\n\n' '\0\0\0\0' \
    '{"kind":"step","step":99,"epoch":2,"loss":1}\n'; do
    renew before
    printf '%b' "$tear" >>run/metrics.jsonl
    try "'$tear'" resumes_to whole 12 "${tiny[@]}"
  done
  report "torn log of metrics"
}

# A write of the log fails after its first half; the lines after it are whole.
failed_half() { # failed_half LINE
  renew ''
  fault run CALLS=write PATH=metrics.jsonl ACTION=half=28 "AT=$1"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --run-dir run
  ended_cleanly 0 74 || return
  same_newest_weights whole run || return
  # One record may be missing, none may be damaged.
  [[ $(grep '^{"kind":.*}$' run/metrics.jsonl | grep -vc '.{"kind"') -ge $(($(wc -l <whole/metrics.jsonl) - 1)) ]]
}

@test "streams: a line of metrics that could be written in part only costs no other line" {
  make_whole
  local line
  for line in $(chosen 14 4); do
    try "half of line $line" failed_half "$line"
  done
  report "log of metrics written in part"
}
