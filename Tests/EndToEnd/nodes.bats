#!/usr/bin/env bats
# Ranks on two nodes. The nodes are network namespaces, each with its own host name and address,
# joined by a virtual cable: MPI treats them as computers that share no memory.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

nodes=("lockstep${BATS_ROOT_PID}a" "lockstep${BATS_ROOT_PID}b")
addresses=(10.213.77.1 10.213.77.2)

setup_file() {
  local reason
  reason=$(no_nodes_because)
  [[ -z $reason ]] || skip "$reason"
  start_nodes || skip "the network of two nodes cannot be set up"
}

teardown_file() {
  ip netns delete "${nodes[0]}"
  ip netns delete "${nodes[1]}"
} 2>/dev/null

# Prints why there can be no two nodes here; nothing if there can.
no_nodes_because() {
  if ! command -v mpirun >/dev/null; then
    echo "there is no mpirun"
  elif ! command -v ip >/dev/null; then
    echo "there is no ip command (iproute2)"
  elif (($(id -u) != 0)); then
    echo "network namespaces need root"
  elif ! unshare --uts --net true 2>/dev/null; then
    echo "namespaces are not allowed here"
  fi
}

start_nodes() {
  local i ends=(lockstep-a lockstep-b)
  ip netns add "${nodes[0]}" && ip netns add "${nodes[1]}" || return
  ip link add "${ends[0]}" type veth peer name "${ends[1]}" || return
  for i in 0 1; do
    ip link set "${ends[i]}" netns "${nodes[i]}" || return
    ip -n "${nodes[i]}" addr add "${addresses[i]}/24" dev "${ends[i]}" || return
    ip -n "${nodes[i]}" link set "${ends[i]}" up || return
    ip -n "${nodes[i]}" link set lo up || return
  done
  # What mpirun calls in place of ssh.
  cat >"$BATS_FILE_TMPDIR/agent" <<AGENT
#!/usr/bin/env bash
case \$1 in
  ${addresses[0]}) node=${nodes[0]} name=machine1 ;;
  *) node=${nodes[1]} name=machine2 ;;
esac
shift
exec ip netns exec "\$node" unshare --uts bash -c "hostname \$name; \$*"
AGENT
  chmod +x "$BATS_FILE_TMPDIR/agent"
  printf '%s slots=4\n' "${addresses[@]}" >"$BATS_FILE_TMPDIR/hosts"
}

# Sets `command` to run the command on several ranks of each node.
set_command() { # set_command RANKS_PER_NODE ARGUMENT...
  local network=${addresses[0]%.*}.0/24
  # shellcheck disable=SC2016 # The inner shell expands it.
  command=(ip netns exec "${nodes[0]}" unshare --uts bash -c 'hostname machine1; exec "$@"' -
    mpirun --hostfile "$BATS_FILE_TMPDIR/hosts" --mca plm_rsh_agent "$BATS_FILE_TMPDIR/agent"
    --mca btl "tcp,self,vader" --mca btl_tcp_if_include "$network"
    --mca oob_tcp_if_include "$network" --bind-to none --oversubscribe
    --map-by "ppr:$1:node" "$lockstep" "${@:2}")
}

# Runs the command on several ranks of each node.
on_nodes() { # on_nodes RANKS_PER_NODE ARGUMENT...
  local command
  set_command "$@"
  launch "${command[@]}"
}

@test "nodes: 2 with 2 ranks each pass all checks of doctor" {
  on_nodes 2 doctor
  assert_success
  assert_line --regexp 'ranks +4 on 2 hosts'
  assert_line --regexp 'checks passed on all ranks'
  refute_line --regexp '\[fail\]'
}

@test "nodes: have the losses of one process in every mode of overlap" {
  lockstep train "$digits" --max-steps 60 --progress none --run-dir one
  local mode
  for mode in sync poll thread; do
    on_nodes 2 train "$digits" --max-steps 60 --set distributed.overlap=$mode \
      --set distributed.bucketMegabytes=0.07 --run-dir "$mode"
    assert_success
    assert_line --regexp "^ranks +4 on 2 nodes . inter-node all-reduce: $mode"
    assert_same_losses one "$mode"
  done
}

@test "nodes: with fixed slices have the weights of one process, bit for bit" {
  local shared=(train "$digits" --max-steps 70 --set distributed.fixedSlices=4 --progress none)
  lockstep "${shared[@]}" --run-dir one
  on_nodes 2 "${shared[@]}" --run-dir two
  assert_success
  assert_same_weights one two
}

@test "nodes: print an error once, and all ranks end" {
  on_nodes 1 train "$digits" --set training.epochs=0.5 --run-dir run
  assert_failed_with 78 'training.epochs'
  assert_no_process_is_left
}

@test "nodes: a stopped rank is named by its own node, or as the other node's (83)" {
  local command process stopped
  for ranks in 1 2; do
    set_command "$ranks" "${slow[@]}" --run-dir "run$ranks" --progress none \
      --set distributed.stallWarning=1 --set distributed.stallTimeout=4
    begin "run$ranks" "${command[@]}"
    wait_for_steps "run$ranks" 5
    # The last rank is on the second node.
    for process in $(processes); do
      if tr '\0' '\n' <"/proc/$process/environ" |
        grep -qx "OMPI_COMM_WORLD_RANK=$((2 * ranks - 1))"; then
        stopped=$process
      fi
    done
    kill -STOP "$stopped"
    finish 30
    assert_equal "$status" 83
    if ((ranks == 1)); then
      assert_stderr_fits '^error: no progress .* on machine1: .* wait for rank 1 \(machine2\)'
    else
      assert_stderr_fits '^error: no progress .* on machine2: rank 3 on machine2 .* is stopped'
      assert_exists run2/errors/rank-3.json
    fi
    assert_no_process_is_left
  done
}
