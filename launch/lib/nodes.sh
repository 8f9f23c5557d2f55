# shellcheck shell=bash
# Several nodes on one computer: network namespaces, each with its own host name and address, whose
# virtual cables meet in a switch. MPI treats them as computers that share no memory.
# Sourced by tests and by Benchmarks/on-nodes, never run. Needs root, iproute2 and, for a limited rate,
# tc.

# The addresses are the same for every caller: each has namespaces, and so a network, of its own.
node_network=10.213.77
# Set by start_nodes; a test file exports them from setup_file to its tests.
node_prefix=${node_prefix-}
node_count=${node_count-0}

# Prints why there can be no nodes here; nothing if there can.
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

# The host name of a node, counted from 1.
node_name() { echo "machine$1"; } # node_name NODE

# Starts nodes whose namespaces have a name in common; each sends and receives at most RATE, as `tc`
# writes it (1gbit), in both directions at once. Writes `hosts`, a host file, and `agent`, which mpirun
# calls in place of ssh, into FOLDER. With a number of nodes per switch, each switch has as many, and a
# cable of at most UPLINK to the switch that joins them. On failure everything is taken down again.
start_nodes() { # start_nodes PREFIX COUNT FOLDER [RATE [NODES-PER-SWITCH UPLINK]]
  node_prefix=$1 node_count=$2
  make_nodes "$3" "${4-}" "${5-}" "${6-}" && return
  end_nodes
  return 1
}

make_nodes() { # make_nodes FOLDER RATE NODES-PER-SWITCH UPLINK
  local folder=$1 rate=$2 per_switch=$3 uplink=$4
  local node switch=$node_prefix-switch space bridge=switch number
  ip netns add "$switch" || return
  add_bridge "$switch" switch || return
  : >"$folder/hosts"
  for ((node = 1; node <= node_count; node++)); do
    space=$node_prefix-$node
    if [[ -n $per_switch ]] && (((node - 1) % per_switch == 0)); then
      number=$(((node - 1) / per_switch + 1)) bridge=switch$number
      add_bridge "$switch" "$bridge" || return
      ip -n "$switch" link add "up$number" type veth peer name "down$number" || return
      ip -n "$switch" link set "up$number" master "$bridge" up || return
      ip -n "$switch" link set "down$number" master switch up || return
      limit_link "$switch" "up$number" "$uplink" || return
      limit_link "$switch" "down$number" "$uplink" || return
    fi
    ip netns add "$space" || return
    ip link add eth0 netns "$space" type veth peer name "port$node" netns "$switch" || return
    ip -n "$switch" link set "port$node" master "$bridge" up || return
    ip -n "$space" addr add "$node_network.$node/24" dev eth0 || return
    ip -n "$space" link set eth0 up || return
    ip -n "$space" link set lo up || return
    # BBR and CUBIC take the queues of the shaper for a congested network, and slow down.
    ip netns exec "$space" sysctl -qw net.ipv4.tcp_congestion_control=reno || return
    # At both ends of the cable: what a node sends, and what it receives from all others together.
    limit_link "$space" eth0 "$rate" || return
    limit_link "$switch" "port$node" "$rate" || return
    echo "$node_network.$node slots=64" >>"$folder/hosts"
  done
  cat >"$folder/agent" <<AGENT
#!/usr/bin/env bash
# agent HOST COMMAND...: what ssh would do.
node=\${1##*.}
shift
exec ip netns exec "$node_prefix-\$node" unshare --uts bash -c "hostname machine\$node; \$*"
AGENT
  chmod +x "$folder/agent"
}

# Adds a switch to a namespace.
add_bridge() { # add_bridge NAMESPACE NAME
  ip -n "$1" link add "$2" type bridge && ip -n "$1" link set "$2" up
}

# Limits what an end of a cable sends; without a rate it does nothing.
limit_link() { # limit_link NAMESPACE NAME RATE
  [[ -z $3 ]] || tc -n "$1" qdisc add dev "$2" root tbf rate "$3" burst 256kb latency 50ms
}

# Takes the nodes down; kills what still runs on them.
end_nodes() {
  local node
  for ((node = 1; node <= node_count; node++)); do
    end_node "$node"
  done
  ip netns delete "$node_prefix-switch"
} 2>/dev/null

# Takes one node down, as a power failure would: its processes end, and its network is gone.
end_node() { # end_node NODE
  local space=$node_prefix-$1 processes
  processes=$(ip netns pids "$space")
  # shellcheck disable=SC2086 # One word for each process.
  [[ -z $processes ]] || kill -KILL $processes
  ip netns delete "$space"
} 2>/dev/null

# Sets `on_node` to run a command on a node.
set_on_node() { # set_on_node NODE COMMAND...
  # shellcheck disable=SC2016,SC2034 # The inner shell expands it; the caller uses it.
  on_node=(ip netns exec "$node_prefix-$1" unshare --uts
    bash -c 'hostname "$0"; exec "$@"' "$(node_name "$1")" "${@:2}")
}

# Sets `mpirun_options`, what mpirun needs on the first node to reach the others.
set_mpirun_options() { # set_mpirun_options FOLDER
  # shellcheck disable=SC2034 # The caller uses it.
  mpirun_options=(--hostfile "$1/hosts" --mca plm_rsh_agent "$1/agent"
    --mca btl "tcp,self,vader" --mca btl_tcp_if_include "$node_network.0/24"
    --mca oob_tcp_if_include "$node_network.0/24" --bind-to none --oversubscribe)
}
