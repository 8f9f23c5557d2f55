#!/usr/bin/env bats
# Disks that are full, over quota, broken, or of a server that was exchanged (NFS), at any call.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults

# The error numbers of Linux.
declare -A errors=([EIO]=5 [ENOSPC]=28 [ESTALE]=116 [EDQUOT]=122)

make_runs() {
  lockstep "${tiny[@]}" --max-steps 2 --run-dir before
  assert_success
  lockstep "${tiny[@]}" --max-steps 6 --run-dir whole
  assert_success
}

# A call fails, once or from then on. The run ends with 0, or with 73 or 74 and one message; a
# checkpoint can be used, and without the fault the run continues to the same bits.
failed_call() { # failed_call ERROR CALL SETTING...
  renew before
  fault run "ACTION=errno=${errors[$1]}" "AT=$2" "${@:3}"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
  ended_cleanly 0 73 74 || return
  (($(newest_step run) >= 2)) || return
  # A failing log does not stop training, so it may lack steps.
  launch "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
  ((status == 0)) && same_newest_weights whole run
}

@test "disks: a full, limited or broken one costs no checkpoint, and the run resumes to the same bits" {
  make_runs
  local changing=open,write,fsync,rename,link,mkdir call names=(ENOSPC EDQUOT EIO ESTALE) name
  list_calls before "$changing" "${tiny[@]}" --max-steps 6
  for call in $(chosen "${#calls[@]}" 6); do
    name=${names[RANDOM % 4]}
    try "$name once at call $call: ${calls[call - 1]}" \
      failed_call "$name" "$call" "CALLS=$changing"
    name=${names[RANDOM % 4]}
    try "$name from call $call on: ${calls[call - 1]}" \
      failed_call "$name" "$call" "CALLS=$changing" STAYS=1
  done
  report "failing disk"
}

@test "disks: a failed fsync is never repeated on the same file" {
  make_runs
  local call name
  list_calls before fsync "${tiny[@]}" --max-steps 6
  for call in $(chosen "${#calls[@]}" 6); do
    renew before
    rm -f log
    fault run ACTION=errno=5 "AT=$call" CALLS=fsync "LOG=$(pwd -P)/log"
    launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
    name=$(sed -n "${call}p" log | cut -f 3)
    # Directories are synchronized many times.
    try "fsync $call of $name" not_synchronized_again "$call" "$name"
  done
  report "failing fsync"
}

not_synchronized_again() { # not_synchronized_again CALL PATH
  ended_cleanly 0 73 74 || return
  # Another checkpoint writes another file of this name.
  [[ $2 == */run || $2 == */checkpoints || $2 == */.latest.tmp-* ]] && return
  ! tail -n "+$(($1 + 1))" log | cut -f 3 | grep -qxF "$2"
}

@test "disks: short and interrupted writes and reads change nothing" {
  make_runs
  local kind
  for kind in "short write" "errno=4 write" "errno=4 read"; do
    list_calls before "${kind#* }" "${tiny[@]}" --max-steps 6
    local call
    for call in $(chosen "${#calls[@]}" 2); do
      renew before
      fault run "ACTION=${kind% *}" "CALLS=${kind#* }" "AT=$call"
      launcher=("${faulty[@]}")
      try "$kind at call $call: ${calls[call - 1]}" \
        resumes_to whole 6 "${tiny[@]}" --max-steps 6
    done
  done
  report "short or interrupted call"
}

# A read fails once while the run resumes. Nothing intact may be removed: each checkpoint has a file
# `mark` that no later one has.
failed_read() { # failed_read ERROR CALL
  renew kept
  fault run "ACTION=errno=${errors[$1]}" CALLS=read-open,read "AT=$2"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --set checkpoint.keep=null --max-steps 6 \
    --run-dir run
  ended_cleanly 0 66 74 || return
  [[ $(find run -name mark | wc -l) == 2 ]] || return
  resumes_to whole 6 "${tiny[@]}" --set checkpoint.keep=null --max-steps 6
}

@test "disks: a read error removes no intact checkpoint" {
  make_runs
  lockstep "${tiny[@]}" --set checkpoint.keep=null --max-steps 4 --run-dir kept
  assert_success
  touch kept/checkpoints/step-00000{2,4}/mark
  list_calls kept read-open,read "${tiny[@]}" --set checkpoint.keep=null --max-steps 6
  local call names=(EIO ESTALE) name
  for call in $(chosen "${#calls[@]}" 8); do
    name=${names[RANDOM % 2]}
    try "$name at call $call: ${calls[call - 1]}" failed_read "$name" "$call"
  done
  report "read error"
}

# `latest` could not be written, though its checkpoint is there. The next run puts it right.
failed_latest() { # failed_latest CALL
  renew before
  fault run ACTION=errno=28 CALLS=open,write,fsync,rename PATH=.latest "AT=$1"
  launch "${faulty[@]}" "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
  ended_cleanly 0 73 74 || return
  launch "$lockstep" "${tiny[@]}" --max-steps 6 --run-dir run
  ((status == 0)) && [[ $(<run/checkpoints/latest) == step-000006 ]]
}

@test "disks: after a failure to write it, \`latest\` names the newest checkpoint again" {
  make_runs
  list_calls before open,write,fsync,rename "${tiny[@]}" --max-steps 6
  local call last
  last=$(printf '%s\n' "${calls[@]}" | grep -c '\.latest')
  for ((call = 1; call <= last; call++)); do
    try "call $call" failed_latest "$call"
  done
  report "failing write of latest"
}

# The run directory is removed after a step. The run says so, at once or at its end.
vanished() { # vanished STEPS
  renew before
  begin run "$lockstep" "${tiny[@]}" --set training.epochs=4000 --run-dir run
  wait_for_steps run "$1" || return
  mv run "gone-$1"
  rm -rf "gone-$1"
  sleep 0.3
  kill -USR1 "$job" 2>/dev/null
  finish 30
  ended_cleanly 73 74 75 || return
  grep -q '^warning: \|^[Ee]rror: ' "$err"
}

@test "disks: a run whose directory is removed says so" {
  make_runs
  local steps
  for steps in 1 4 9; do
    try "run directory removed after $steps steps" vanished "$steps"
  done
  report "run directory removed"
}
