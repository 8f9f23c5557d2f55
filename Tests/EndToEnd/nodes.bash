# shellcheck shell=bash
# shellcheck disable=SC2154 # lockstep.bash sets the variables.
# Two nodes on one computer: network namespaces, each with its own host name and address, joined by a
# virtual cable. MPI treats them as computers that share no memory.

nodes=("lockstep${BATS_ROOT_PID}a" "lockstep${BATS_ROOT_PID}b")
addresses=(10.213.77.1 10.213.77.2)

# Starts the nodes for the tests of a file, or skips them with the reason.
needs_nodes() {
  local reason
  reason=$(no_nodes_because)
  [[ -z $reason ]] || skip "$reason"
  start_nodes || skip "the network of two nodes cannot be set up"
}

# Starts the nodes where it can: the file `hosts` says whether it did.
start_nodes_if_possible() {
  if [[ -z $(no_nodes_because) ]]; then start_nodes || rm -f "$BATS_FILE_TMPDIR/hosts"; fi
}

end_nodes() {
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

# Sets `command` to run a program on several ranks of each node.
set_command() { # set_command RANKS_PER_NODE COMMAND...
  local network=${addresses[0]%.*}.0/24
  # shellcheck disable=SC2016,SC2034 # The inner shell expands it; the caller uses it.
  command=(ip netns exec "${nodes[0]}" unshare --uts bash -c 'hostname machine1; exec "$@"' -
    mpirun --hostfile "$BATS_FILE_TMPDIR/hosts" --mca plm_rsh_agent "$BATS_FILE_TMPDIR/agent"
    --mca btl "tcp,self,vader" --mca btl_tcp_if_include "$network"
    --mca oob_tcp_if_include "$network" --bind-to none --oversubscribe
    --map-by "ppr:$1:node" "${@:2}")
}

# Runs a program on several ranks of each node.
launch_on_nodes() { # launch_on_nodes RANKS_PER_NODE COMMAND...
  local command
  set_command "$@"
  launch "${command[@]}"
}

# Runs the command on several ranks of each node.
on_nodes() { launch_on_nodes "$1" "$lockstep" "${@:2}"; } # on_nodes RANKS_PER_NODE ARGUMENT...
