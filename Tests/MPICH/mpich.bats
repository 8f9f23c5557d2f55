#!/usr/bin/env bats
# The command built with MPICH in place of Open MPI, under MPICH's launcher.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load ../EndToEnd/lockstep

mpich=$BATS_SUITE_TMPDIR/lockstep-mpich
mpiexec=(mpiexec.hydra -n)

@test "mpich: doctor finds the library, the ranks and working collectives" {
  launch "${mpiexec[@]}" 2 "$mpich" doctor
  assert_success
  assert_line --regexp 'ranks +2 on 1 host, MPICH [0-9]'
  assert_line --regexp 'collectives +[0-9]+ checks passed on all ranks'
  refute_output --partial "Open MPI"
}

@test "mpich: training has the losses of a build with Open MPI, on 1, 2 and 4 ranks" {
  local ranks
  # mpirun binds one rank to one core, Hydra to none: the default numbers of threads differ.
  local one_thread=("${short[@]}" --set distributed.threadsPerRank=1)
  for ranks in 1 2 4; do
    launch "${mpirun[@]}" "$ranks" "$lockstep" "${one_thread[@]}" --run-dir "open-$ranks"
    assert_success
    launch "${mpiexec[@]}" "$ranks" "$mpich" "${one_thread[@]}" --run-dir "mpich-$ranks"
    assert_success
    losses "open-$ranks" >expected
    losses "mpich-$ranks" >actual
    assert_file_not_empty expected
    run diff expected actual
    assert_success
    # Both used what they were built with.
    grep -q '"mpi": *"MPICH' "mpich-$ranks/env.json"
    grep -q '"mpi": *"Open MPI' "open-$ranks/env.json"
  done
}

@test "mpich: a run is resumed on another number of ranks" {
  launch "${mpiexec[@]}" 2 "$mpich" "${short[@]}" --run-dir run --max-steps 60
  assert_success
  launch "${mpiexec[@]}" 4 "$mpich" "${short[@]}" --run-dir run
  assert_success
  assert_logs_every_step run 120
}

@test "mpich: a failed rank ends all, with its exit code" {
  launch "${mpiexec[@]}" 1 "$mpich" "${short[@]}" --run-dir run \
    : -n 1 "$mpich" "${short[@]}" --set training.seed=2 --run-dir run
  assert_failed_with 81 'ranks do not agree'
}

@test "mpich: Open MPI's launcher is refused, with a remedy (81)" {
  launch "${mpirun[@]}" 2 "$mpich" "${short[@]}" --run-dir run
  assert_failed_with 81 'separate one-process runs'
  assert_stderr_fits "^fix: this launcher is Open MPI's; start with the mpiexec of MPICH"
  assert_not_exists run
}

@test "mpich: lockstep launch starts ranks with MPICH's launcher" {
  launch "$mpich" launch -n 2 --no-bind -- doctor
  assert_success
  assert_line --regexp 'ranks +2 on 1 host, MPICH [0-9]'
  launch "$mpich" launch -n 2 --no-bind --print -- doctor
  assert_output --regexp '^env OPENBLAS_NUM_THREADS=1 mpiexec.hydra -n 2 -bind-to none .*/lockstep-mpich doctor$'
}

@test "mpich: lockstep launch restarts after a rank was killed, and USR2 harms nothing" {
  begin run "$mpich" launch -n 2 --no-bind -- "${slow[@]}" --max-steps 60 \
    --set checkpoint.everySteps=5 --progress none --run-dir run
  wait_for_steps run 8
  kill -USR2 "$job"
  local process
  for process in $(lockstep=$mpich processes); do
    if tr '\0' '\n' <"/proc/$process/environ" | grep -qx PMI_RANK=1; then kill -KILL "$process"; fi
  done
  finish 240
  assert_equal "$status" 0
  assert_stderr_fits '^warning: USR2 saves no checkpoint'
  assert_stderr_fits '^error: attempt 1 ended after [0-9]+ s: a rank on .* was ended by signal 9 \(Killed\)$'
  assert_stderr_fits '^note: attempt 2: 2 ranks on this host, resuming from step [0-9]+$'
  assert_logs_every_step run 60
}
