# shellcheck shell=bash disable=SC2154
# Two machines on one: network namespaces, each with its own host name and address, joined by a
# virtual cable. MPI takes them for machines that share no memory. Sourced, never run. Needs root.

machines=("lockstep$$a" "lockstep$$b")
machine_addresses=(10.213.77.1 10.213.77.2)

# Prints why there can be no two machines here; nothing if there can.
no_machines_because() {
  if ! command -v ip >/dev/null; then
    echo "there is no ip command (iproute2)"
  elif (($(id -u) != 0)); then
    echo "network namespaces need root"
  elif ! unshare --uts --net true 2>/dev/null; then
    echo "namespaces are not allowed here"
  fi
}

start_machines() {
  local i
  ip netns add "${machines[0]}" && ip netns add "${machines[1]}" || return
  ip link add lockstep-a type veth peer name lockstep-b || return
  local ends=(lockstep-a lockstep-b)
  for i in 0 1; do
    ip link set "${ends[i]}" netns "${machines[i]}" || return
    ip -n "${machines[i]}" addr add "${machine_addresses[i]}/24" dev "${ends[i]}" || return
    ip -n "${machines[i]}" link set "${ends[i]}" up || return
    ip -n "${machines[i]}" link set lo up || return
  done
  # What mpirun calls in place of ssh.
  cat >"$work/agent" <<AGENT
#!/usr/bin/env bash
case \$1 in
  ${machine_addresses[0]}) machine=${machines[0]} name=machine1 ;;
  *) machine=${machines[1]} name=machine2 ;;
esac
shift
exec ip netns exec "\$machine" unshare --uts bash -c "hostname \$name; \$*"
AGENT
  chmod +x "$work/agent"
  printf '%s slots=4\n' "${machine_addresses[@]}" >"$work/hosts"
}

stop_machines() {
  ip netns delete "${machines[0]}"
  ip netns delete "${machines[1]}"
} 2>/dev/null

# Runs the command on several ranks of each machine.
on_machines() { # on_machines RANKS_PER_MACHINE ARGUMENT...
  local network=${machine_addresses[0]%.*}.0/24
  launch ip netns exec "${machines[0]}" unshare --uts bash -c 'hostname machine1; exec "$@"' - \
    mpirun --hostfile "$work/hosts" --mca plm_rsh_agent "$work/agent" \
    --mca btl tcp,self,vader --mca btl_tcp_if_include "$network" \
    --mca oob_tcp_if_include "$network" --bind-to none --oversubscribe \
    --map-by "ppr:$1:node" "$lockstep" "${@:2}"
}
