#!/usr/bin/env bats
# lockstep launch while ranks and whole nodes die, fall silent or stop, at random.
# shellcheck disable=SC2034,SC2154 # Variables are shared with faults.bash.

load faults
load ../EndToEnd/nodes

teardown() {
  end_processes
  # They may be down already.
  end_nodes || true
}

# A run of 40 steps, slow enough to hit, with the same weights on any number of ranks.
steady=(train "$digits" --set "model.hidden=[256]" --set training.globalBatch=180
  --set training.epochs=5 --set checkpoint.everySteps=3 --set distributed.fixedSlices=4
  --set distributed.threadsPerRank=1)

# Does something to a rank, or to a node other than the first, on which the launch runs.
strike() { # strike ACTION VICTIM
  local process
  case $1 in
    kill | stop)
      for process in $(processes); do
        if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2"; then
          if [[ $1 == kill ]]; then kill -KILL "$process"; else kill -STOP "$process"; fi
        fi
      done
      ;;
    node) end_node "$2" ;;
  esac
} 2>/dev/null

# Launches on four nodes; at two steps of the run something happens.
struck() { # struck STEP ACTION VICTIM STEP ACTION VICTIM
  renew ''
  start_file_nodes 4 || return
  local on_node
  sed -i 's/ slots=.*/ slots=1/' "$BATS_FILE_TMPDIR/hosts"
  set_on_node 1 "$lockstep" launch --hosts "$BATS_FILE_TMPDIR/hosts" \
    --agent "$BATS_FILE_TMPDIR/agent" --no-bind --stall-timeout 8 -- "${steady[@]}" \
    --run-dir run --progress none
  begin run "${on_node[@]}"
  # The run may be over before the second.
  (wait_for_steps run "$1" && strike "$2" "$3") >/dev/null || true
  (wait_for_steps run "$4" && strike "$5" "$6") >/dev/null || true
  finish 240
  end_nodes
  [[ $status == 0 ]] && same_newest_weights whole run && assert_logs_every_step run 40
}

@test "launches: ranks and nodes that fail at random: the launch ends with the bits of an undisturbed run" {
  local reason
  reason=$(no_nodes_because)
  [[ -z $reason ]] || skip_fault "failing ranks and nodes under launch" "$reason"
  export OMPI_MCA_btl=tcp,self,vader OMPI_MCA_btl_tcp_if_include=$node_network.0/24
  export OMPI_MCA_oob_tcp_if_include=$node_network.0/24
  lockstep "${steady[@]}" --run-dir whole
  assert_success
  local actions=(kill stop node) i first second
  for ((i = 0; i < ${FAULTS_RANDOM:-$(size 2 20)}; i++)); do
    # Of the nodes only those that do not run the launch.
    first=($((1 + RANDOM % 15)) "${actions[RANDOM % 3]}" $((2 + RANDOM % 3)))
    second=($((first[0] + 3 + RANDOM % 15)) "${actions[RANDOM % 3]}" $((RANDOM % 2)))
    if [[ ${first[1]} != node ]]; then first[2]=$((RANDOM % 4)); fi
    if [[ ${second[1]} == node ]]; then second[2]=$((2 + RANDOM % 3)); fi
    try "launch with ${first[*]}, then ${second[*]}" struck "${first[@]}" "${second[@]}"
  done
  report "failing ranks and nodes under launch"
}
