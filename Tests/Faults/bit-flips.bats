#!/usr/bin/env bats
# Flipped bits: in checkpoints, and in the weights of a rank.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # Variables are shared with faults.bash.

load faults
load ../EndToEnd/nodes

setup_file() { start_nodes_if_possible; }
teardown_file() { end_nodes || true; }

# Flips a bit of a file of the newer of two checkpoints: the older one is used.
flipped() { # flipped SEED FILE
  renew kept
  "$BATS_SUITE_TMPDIR/mutate" flip "$1" "run/checkpoints/step-000004/$2"
  launch "$lockstep" checkpoint info run
  [[ $status == 0 ]] && grep -q '^step  *2$' "$out" || return
  # Resuming takes longer: it is tried on every fifth.
  (($1 % 5 == 0)) || return 0
  resumes_to whole 6 "${tiny[@]}" --max-steps 6
}

@test "bit flips: any flipped bit of a checkpoint is noticed, and the older one used" {
  lockstep "${tiny[@]}" --max-steps 6 --run-dir whole
  lockstep "${tiny[@]}" --set checkpoint.keep=2 --max-steps 4 --run-dir kept
  assert_success
  local files i
  mapfile -t files < <(cd kept/checkpoints/step-000004 && printf '%s\n' *)
  for ((i = 1; i <= $(size 20 600); i++)); do
    try "bit flip with seed $i in ${files[i % ${#files[@]}]}" flipped "$i" "${files[i % ${#files[@]}]}"
  done
  report "bit flip in a checkpoint"
}

# With a learning rate of 0 the weights stay those of the first checkpoint, whose first bytes can be
# found in memory.
still=("${tiny[@]}" --set optimizer.learningRate=0 --set optimizer.weightDecay=0
  --set training.epochs=20 --set checkpoint.everySteps=10)

# Prints the first 48 bytes of the largest tensor that a run's checkpoint holds, in hexadecimal.
first_weights() { # first_weights RUN
  local file header offset
  file=$(weights "$1")
  header=$(od -An -tu8 -N8 "$file" | tr -d ' ')
  offset=$(head -c $((8 + header)) "$file" | tail -c "$header" |
    sed 's/.*"1\.weight":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/')
  tail -c "+$((8 + header + offset + 1))" "$file" | head -c 48 | od -An -v -tx1 | tr -d ' \n'
}

make_pattern() {
  lockstep "${still[@]}" --max-steps 2 --run-dir still
  assert_success
  pattern=$(first_weights still)
  assert_equal "${#pattern}" 96
}

# A bit of the weights of a rank flips. An audit ends the run with 82, and no checkpoint has the flip.
flipped_in_memory() { # flipped_in_memory STEP AUDIT LAUNCHER...
  rm -rf run
  fault run CALLS=write PATH=metrics.jsonl "AT=$1" "ACTION=flip=$pattern"
  "${@:3}" "${faulty[@]}" "$lockstep" "${still[@]}" --set "distributed.auditEverySteps=$2" \
    --run-dir run
  grep -q 'flipped a bit at [1-9]' "$err" || return
  [[ $status == 82 ]] || return
  [[ ! -e run/checkpoints/latest ]] || [[ $(first_weights run) == "$pattern" ]]
}

need_started_nodes() { # need_started_nodes FAULT
  [[ -e $BATS_FILE_TMPDIR/hosts ]] ||
    skip_fault "$1" "there can be no two nodes: $(no_nodes_because)"
}

flips_on_nodes() { # flips_on_nodes FAULT AUDIT
  need_started_nodes "$1"
  make_pattern
  local step
  for step in $(size "3 17" "1 3 5 8 12 17 21 33"); do
    try "bit flip after line $step" flipped_in_memory "$step" "$2" launch_on_nodes 1
  done
  report "$1"
}

@test "bit flips: one in the weights of a node ends the run with 82 at the next audit" {
  flips_on_nodes "bit flip in a node's weights" 10
}

@test "bit flips: one in the weights of a node reaches no checkpoint, however rare audits are" {
  flips_on_nodes "bit flip in a node's weights, rare audits" 75
}

@test "bit flips: one in the weights that ranks of a node share ends the run with 82" {
  needs_mpirun
  make_pattern
  local step
  for step in $(size "3" "1 3 5 8 12 17 21 33"); do
    try "bit flip after line $step" flipped_in_memory "$step" 10 launch "${mpirun[@]}" 2
  done
  report "bit flip in shared weights"
}
