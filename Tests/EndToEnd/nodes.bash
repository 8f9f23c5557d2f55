# shellcheck shell=bash
# shellcheck disable=SC2154 # lockstep.bash sets the variables.
# Tests on several nodes, which network namespaces play.

# shellcheck source=launch/lib/nodes.sh
source "$root/launch/lib/nodes.sh"

# Starts the nodes for the tests of a file, or skips them with the reason.
needs_nodes() { # needs_nodes [COUNT [RATE]]
  local reason
  reason=$(no_nodes_because)
  [[ -z $reason ]] || skip "$reason"
  start_file_nodes "$@" || skip "the network of ${1-2} nodes cannot be set up"
}

# Starts two nodes where it can: the file `hosts` says whether it did.
start_nodes_if_possible() {
  if [[ -z $(no_nodes_because) ]]; then start_file_nodes || rm -f "$BATS_FILE_TMPDIR/hosts"; fi
}

start_file_nodes() { # start_file_nodes [COUNT [RATE]]
  start_nodes "lockstep$BATS_ROOT_PID" "${1-2}" "$BATS_FILE_TMPDIR" "${2-}"
  # Each test, and teardown_file, runs in a shell of its own.
  export node_prefix node_count
}

# Sets `command` to run a program on several ranks of each node.
set_command() { # set_command RANKS_PER_NODE COMMAND...
  local on_node mpirun_options
  set_mpirun_options "$BATS_FILE_TMPDIR"
  set_on_node 1 mpirun "${mpirun_options[@]}" --map-by "ppr:$1:node" "${@:2}"
  command=("${on_node[@]}")
}

# Runs a program on several ranks of each node.
launch_on_nodes() { # launch_on_nodes RANKS_PER_NODE COMMAND...
  local command
  set_command "$@"
  launch "${command[@]}"
}

# Runs the command on several ranks of each node.
on_nodes() { launch_on_nodes "$1" "$lockstep" "${@:2}"; } # on_nodes RANKS_PER_NODE ARGUMENT...
