#!/usr/bin/env bats
# lockstep launch on several nodes that die, fall silent, or do not answer.
# shellcheck disable=SC2154 # lockstep.bash and nodes.sh set the variables.

load lockstep
load nodes

# Each test takes nodes down: it has nodes of its own.
teardown() {
  echo "last launch: ${launched[*]-} (exit code ${status-})"
  end_processes
  end_nodes
}

# A run whose weights are the same on any number of ranks, and whose steps are slow enough to interrupt.
steady=("${slow[@]}" --set distributed.fixedSlices=4 --set checkpoint.everySteps=5
  --max-steps 80 --progress none)

# Starts nodes of one slot each, and sets `launch_command`, which launches on them from the first.
prepare_nodes() { # prepare_nodes COUNT [OPTION-OF-LAUNCH...]
  needs_nodes "$1"
  local on_node
  sed -i 's/ slots=.*/ slots=1/' "$BATS_FILE_TMPDIR/hosts"
  export OMPI_MCA_btl=tcp,self,vader OMPI_MCA_btl_tcp_if_include=$node_network.0/24
  export OMPI_MCA_oob_tcp_if_include=$node_network.0/24
  set_on_node 1 "$lockstep" launch --hosts "$BATS_FILE_TMPDIR/hosts" \
    --agent "$BATS_FILE_TMPDIR/agent" --no-bind "${@:2}" --
  launch_command=("${on_node[@]}")
}

# The undisturbed run, of one process.
train_whole() {
  lockstep "${steady[@]}" --run-dir whole
  assert_success
}

@test "launch on nodes: a node that dies is left out, and the weights are those of an undisturbed run" {
  prepare_nodes 4
  train_whole
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  end_node 3
  finish 240
  assert_equal "$status" 0
  local name=$node_network.3
  assert_stderr_fits '^note: attempt 1: 4 ranks on 4 hosts '
  assert_stderr_fits \
    "^error: attempt 1 ended after [0-9]+ s: host $name with rank 2 does not answer any more$"
  assert_stderr_fits "^warning: $name is left out: it does not answer "
  assert_stderr_fits '^note: attempt 2: 3 ranks on 3 hosts .*, resuming from step [0-9]+$'
  assert_same_weights whole run
  assert_logs_every_step run 80
  assert_one_line run/attempts.jsonl '"attempt":2,.*"leftOut":\["'"$name"'"\],"exitCode":0'
}

@test "launch on nodes: the run goes on without the node of rank zero, whose lock is left" {
  prepare_nodes 3
  sed -i "/\.1 /d" "$BATS_FILE_TMPDIR/hosts"
  train_whole
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  assert_one_line run/LOCK '"host":"machine2"'
  end_node 2
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits "^note: attempt 2: 1 rank on 1 host \($node_network.3\)"
  assert_same_weights whole run
}

@test "launch on nodes: a node that falls silent is noticed, without its word" {
  prepare_nodes 2
  train_whole
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  # Its cable is pulled: no connection is closed. ssh would not reach it either.
  sed -i "2i [[ \$(ip -n $node_prefix-switch link show port\${1##*.}) == *'state UP'* ]] || exit 255" \
    "$BATS_FILE_TMPDIR/agent"
  ip -n "$node_prefix-switch" link set port2 down
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits "^error: attempt 1 ended .*: host $node_network.2 with rank 1 does not answer"
  assert_stderr_fits "^note: attempt 2: 1 rank on 1 host \($node_network.1\)"
  assert_same_weights whole run
}

@test "launch on nodes: a node that answers, but on which no rank can start, is left out after two attempts" {
  prepare_nodes 2
  train_whole
  # As with a firewall: the agent reaches it, mpirun's connections do not.
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  ip -n "$node_prefix-switch" link set port2 down
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits '^error: attempt 2 ended .*: the launcher says: '
  assert_stderr_fits "^warning: $node_network.2 is left out: it failed in two attempts"
  assert_stderr_fits "^note: attempt 3: 1 rank on 1 host"
  assert_same_weights whole run
}

@test "launch on nodes: a stopped rank of four on two nodes ends the attempt (83), which is repeated" {
  prepare_nodes 2 --stall-timeout 8
  sed -i 's/ slots=.*/ slots=2/' "$BATS_FILE_TMPDIR/hosts"
  train_whole
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  kill -STOP "$(process_of 3)"
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits \
    '^error: attempt 1 ended .*: no progress for 8 s: rank 3 on machine2 .* is stopped \(SIGSTOP\)$'
  assert_stderr_fits '^  rank 3 \(process [0-9]+\): step [0-9]+, [a-z ]+, .*is stopped \(SIGSTOP\)$'
  assert_stderr_fits '^note: attempt 2: 4 ranks on 2 hosts '
  assert_same_weights whole run
}

@test "launch on nodes: a host that does not answer is left out from the beginning" {
  prepare_nodes 2
  echo "$node_network.9 slots=1" >>"$BATS_FILE_TMPDIR/hosts"
  launch "${launch_command[@]}" doctor
  assert_success
  assert_stderr_fits "^warning: $node_network.9 is left out: it does not answer "
  assert_line --regexp 'ranks +2 on 2 hosts'
}

@test "launch on nodes: a rank that is killed on another node is named, with its host and the signal" {
  prepare_nodes 2
  sed -i 's/ slots=.*/ slots=2/' "$BATS_FILE_TMPDIR/hosts"
  train_whole
  begin run "${launch_command[@]}" "${steady[@]}" --run-dir run
  wait_for_steps run 8
  kill -KILL "$(process_of 3)"
  finish 240
  assert_equal "$status" 0
  # mpirun calls the host by its address or its name.
  assert_stderr_fits \
    "^error: attempt 1 ended after [0-9]+ s: rank 3 on (machine2|$node_network.2) was ended by signal 9 \(Killed\)$"
  assert_stderr_fits '^note: attempt 2: 4 ranks on 2 hosts '
  assert_same_weights whole run
}

@test "launch on nodes: a node without the program is named, and left out after two attempts" {
  prepare_nodes 2
  train_whole
  # As where a folder is not mounted.
  sed -i "s|hostname machine|[[ \$node == 1 ]] \|\| mount -t tmpfs none ${lockstep%/*}; hostname machine|
    s|unshare --uts|unshare --uts --mount|" "$BATS_FILE_TMPDIR/agent"
  launch "${launch_command[@]}" "${steady[@]}" --run-dir run
  assert_success
  assert_stderr_fits \
    "^error: attempt 1 ended .*: host (machine2|$node_network.2) with rank 1 cannot start the program: '$lockstep' is not there"
  assert_stderr_fits "^warning: $node_network.2 is left out: it failed in two attempts$"
  assert_stderr_fits "^note: attempt 3: 1 rank on 1 host"
  assert_same_weights whole run
}
