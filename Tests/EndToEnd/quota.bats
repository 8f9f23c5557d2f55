#!/usr/bin/env bats
# CPU quotas of control groups, as containers with --cpus have them. Skipped where no group can be made.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# Makes a control group with a quota of so many microseconds in each 100,000; sets `group`.
needs_group() { # needs_group QUOTA
  local name=lockstep-test-$$-$BATS_TEST_NUMBER
  if [[ -e /sys/fs/cgroup/cpu/cpu.cfs_period_us ]]; then
    group=/sys/fs/cgroup/cpu/$name
    mkdir "$group" 2>/dev/null && echo 100000 >"$group/cpu.cfs_period_us" &&
      echo "$1" >"$group/cpu.cfs_quota_us"
  else
    group=/sys/fs/cgroup/$name
    mkdir "$group" 2>/dev/null && [[ -e $group/cpu.max ]] && echo "$1 100000" >"$group/cpu.max"
  fi || skip "no control group can be made here"
}

# Runs a command in the group; sets what `launch` does.
within() { # within COMMAND...
  # shellcheck disable=SC2016 # The inner shell's variables.
  launch bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}

teardown() {
  assert_no_process_is_left || end_processes
  # The last process may still be on its way out.
  local deadline=$((SECONDS + 30))
  while ((SECONDS <= deadline)); do
    if [[ -z ${group-} || ! -d $group ]] || rmdir "$group" 2>/dev/null; then return; fi
    sleep 0.1
  done
  return 1
}

@test "quota: a process has as many threads as its quota has cores, and doctor says why" {
  needs_group 170000
  within "$lockstep" doctor
  assert_success
  assert_line --regexp "threads +1 per rank, under a CPU quota of 1\.7 cores \(control group $group\)"
}

@test "quota: ranks that share a quota share its threads; too many are told" {
  needs_mpirun
  needs_group 150000
  within "${mpirun[@]}" 2 "$lockstep" doctor
  assert_success
  assert_line --regexp "cores +.*: a CPU quota of 1\.5 cores \(control group $group\) for 2 ranks: .*start 1 or fewer"
  within "${mpirun[@]}" 2 "$lockstep" "${short[@]}" --max-steps 2 --run-dir run
  assert_success
  assert_stderr_fits "a CPU quota of 1\.5 cores .* for 2 ranks"
  assert_one_line run/env.json '"threadsPerRank": ?1'
}

@test "quota: a launch binds ranks to no cores, which other groups would be bound to as well" {
  needs_mpirun
  needs_group 100000
  within "$lockstep" launch --print -n 1 -- doctor
  assert_success
  assert_output --partial "--map-by slot --bind-to none"
}
