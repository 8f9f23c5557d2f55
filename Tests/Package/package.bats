#!/usr/bin/env bats
# The package of launch/package in a bare Debian: what launch/containers/Dockerfile installs, the files
# of the package, and no Swift. LOCKSTEP_PACKAGE is the archive; launch/test package sets it.
# shellcheck disable=SC2154 # bats.bash sets `root`.

load ../bats
# shellcheck source=launch/lib/nodes.sh
source "$root/launch/lib/nodes.sh"

dockerfile=$root/launch/containers/Dockerfile
digits=/opt/lockstep/configs/digits-mlp.yaml

# Prints why there can be no bare Debian here; nothing if there can.
no_debian_because() {
  # shellcheck source=/dev/null
  source /etc/os-release
  if ! command -v debootstrap >/dev/null; then
    echo "there is no debootstrap"
  elif (($(id -u) != 0)); then
    echo "debootstrap and chroot need root"
  elif ! unshare --mount true 2>/dev/null; then
    echo "namespaces are not allowed here"
  elif [[ $ID != debian ]]; then
    # An older Debian could lack the C library that the package was made with.
    echo "the package was not made on Debian"
  fi
}

# Makes the bare Debian, once, and puts the package and the image's user into it.
setup_file() {
  local reason packages suite
  reason=$(no_debian_because)
  [[ -z $reason ]] || skip "$reason"
  # shellcheck source=/dev/null
  suite=$(source /etc/os-release && echo "$VERSION_CODENAME")
  packages=$(sed -n 's/^  apt-get install -y --no-install-recommends \(.*\) && .*/\1/p' "$dockerfile")
  export debian=$root/.build/bare-debian
  if [[ $(cat "$debian/made" 2>/dev/null) != "$suite $packages" ]]; then
    rm -rf "$debian"
    debootstrap --variant=minbase --include="${packages// /,}" "$suite" "$debian" \
      "$(mirror)" >"$BATS_FILE_TMPDIR/log" 2>&1 ||
      skip "debootstrap failed: $(tail -n 1 "$BATS_FILE_TMPDIR/log")"
    # What the image does for its user and for ssh.
    in_debian 0 bash -euc "$(awk '/^RUN useradd/ { on = 1; sub(/^RUN /, "") } on { print }
      on && !/\\$/ { exit }' "$dockerfile")"
    echo "$suite $packages" >"$debian/made"
  fi
  rm -rf "$debian"/opt/lockstep "$debian"/runs "$debian"/home/mpiuser/runs
  mkdir -p "$debian/opt/lockstep" "$debian/runs"
  chown 1000 "$debian/runs"
  tar -xzf "$LOCKSTEP_PACKAGE" -C "$debian/opt/lockstep" --strip-components 1
}

# Prints the mirror that this system uses.
mirror() {
  local found
  found=$(sed -n 's/^URIs: *\(http[^ ]*\/debian\)\/*$/\1/p; s/^deb [^#]*\(http[^ ]*\/debian\)\/* .*/\1/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
  echo "${found:-http://deb.debian.org/debian}"
}

# Runs a command in the bare Debian, as a user, in the image's environment. Its mounts end with it.
in_debian() { # in_debian USER COMMAND...
  # shellcheck disable=SC2016 # The inner shell expands it.
  unshare --mount bash -euc 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"
    mount --rbind /sys "$0/sys"; mount -t tmpfs tmpfs "$0/dev/shm"; mount -t tmpfs tmpfs "$0/tmp"
    exec chroot --userspec="$1:$1" "$0" env -i HOME=/home/mpiuser \
      PATH=/opt/lockstep/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C OMPI_MCA_mpi_yield_when_idle=1 \
      OMPI_MCA_btl_vader_single_copy_mechanism=none bash -c "cd 2>/dev/null || cd /; exec \"\$@\"" bash "${@:2}"' \
    "$debian" "$@"
}

as_user() { # as_user COMMAND...
  run timeout -k 5 120 bash -c "$(declare -f in_debian); in_debian 1000 \"\$@\"" bash "$@" </dev/null
}

@test "package: there is no Swift and no OpenBLAS but its own" {
  as_user bash -c 'ldconfig -p | grep -c -e swift -e openblas -e jpeg -e png'
  assert_output 0
  as_user ldd /opt/lockstep/bin/lockstep
  assert_success
  refute_output --partial "not found"
  refute_output --partial swift
  assert_line --regexp 'libopenblas.so.0 => /opt/lockstep/bin/../lib/'
  assert_line --regexp 'libmpi.so.40 => /(usr/)?lib/'
}

@test "package: doctor finds nothing wrong" {
  as_user lockstep doctor
  assert_success
  assert_line --regexp 'checks passed'
  refute_output --partial '[fail]'
}

@test "package: trains the digits in one process" {
  as_user lockstep train "$digits" --progress lines --run-dir runs/one
  assert_success
  assert_output --regexp 'validation accuracy 9[0-9]\.[0-9]+ %'
  as_user lockstep eval runs/one
  assert_success
}

@test "package: trains the digits on two ranks with the scripts it brings" {
  as_user bash -c 'echo localhost slots=2 >hosts'
  as_user /opt/lockstep/launch/mpirun-hosts --no-bind hosts "$digits" --progress lines --run-dir runs/two
  assert_success
  assert_output --partial "2 ranks"
  assert_output --regexp 'validation accuracy 9[0-9]\.[0-9]+ %'
}

@test "package: the command of the Kubernetes job trains on two nodes, over the image's ssh" {
  local reason words server
  reason=$(no_nodes_because)
  [[ -z $reason ]] || skip "$reason"
  python3 -c 'import yaml' 2>/dev/null || skip "there is no Python with PyYAML"
  mapfile -t words < <(python3 -c 'import sys, yaml
pod = yaml.safe_load(sys.stdin)["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]
print("\n".join(pod["containers"][0]["command"] + pod["containers"][0]["args"]))' \
    <"$root/launch/kubernetes/mpijob.yaml")

  start_nodes "package$BATS_ROOT_PID" 2 "$BATS_TEST_TMPDIR" || skip "the network cannot be set up"
  # The operator mounts the keys, and writes the host file.
  as_user bash -c 'rm -rf .ssh; mkdir .ssh; ssh-keygen -q -t ecdsa -N "" -f .ssh/id_rsa
    cp .ssh/id_rsa.pub .ssh/authorized_keys'
  mkdir -p "$debian/etc/mpi"
  sed 's/slots=.*/slots=2/' "$BATS_TEST_TMPDIR/hosts" >"$debian/etc/mpi/hostfile"

  local on_node mine
  mine=$(declare -f in_debian)
  set_on_node 2 bash -c "$mine; in_debian 1000 /usr/sbin/sshd -De -f /home/mpiuser/.sshd_config"
  "${on_node[@]}" >"$BATS_TEST_TMPDIR/sshd" 2>&1 </dev/null 3>&- &
  server=$!
  set_on_node 1 bash -c "$mine; in_debian 1000 \"\$@\"" bash "${words[@]}" --progress lines
  run timeout -k 5 120 "${on_node[@]}" </dev/null
  kill "$server" || true
  end_nodes
  cat "$BATS_TEST_TMPDIR/sshd"
  assert_success
  assert_output --partial "4 ranks"
  assert_output --partial "2 nodes"
  assert_output --regexp 'validation accuracy 9[0-9]\.[0-9]+ %'
}
