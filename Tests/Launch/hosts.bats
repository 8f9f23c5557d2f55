#!/usr/bin/env bats
# launch/mpirun-hosts.
# shellcheck disable=SC2154 # sandbox.bash sets `binary` and `digits`.

load sandbox

@test "mpirun-hosts: --print shows its command" {
  add_build
  unset LD_LIBRARY_PATH
  launch mpirun-hosts --print "my hosts" "$digits" --set "a=b c"
  assert_success
  refute_called "mpirun "
  assert_output "mpirun --hostfile my\\ hosts --map-by slot:PE=1 --bind-to core\
 -x OPENBLAS_NUM_THREADS=1 $binary train $digits --set a=b\\ c"
  LD_LIBRARY_PATH=/somewhere launch mpirun-hosts --print --cores 4 "my hosts" "$digits"
  assert_output "mpirun --hostfile my\\ hosts --map-by slot:PE=4 --bind-to core\
 -x OPENBLAS_NUM_THREADS=4 -x LD_LIBRARY_PATH $binary train $digits"
  launch mpirun-hosts --no-bind --print "my hosts" "$digits"
  assert_output "mpirun --hostfile my\\ hosts --map-by slot --bind-to none\
 -x OPENBLAS_NUM_THREADS=1 $binary train $digits"
}

@test "mpirun-hosts: refuses what it cannot use" {
  add_build
  launch mpirun-hosts "my hosts"
  assert_failure 64
  launch mpirun-hosts --cores none "my hosts" "$digits"
  assert_failure 64
  assert_output --partial "--cores takes a number of cores, not 'none'"
  launch mpirun-hosts --prin "my hosts" "$digits"
  assert_failure 64
  assert_output --partial "unknown option '--prin'"
  launch mpirun-hosts no-hosts "$digits"
  assert_failure 66
  assert_output --partial "cannot read the host file 'no-hosts'"
  launch mpirun-hosts "my hosts" no-config
  assert_failure 66
  rm "$binary"
  launch mpirun-hosts "my hosts" "$digits"
  assert_failure 69
  assert_output --partial "-c release --product lockstep"
}

@test "mpirun-hosts: explains that mpirun refuses root" {
  add_build
  stand_in id <<<'echo 0'
  unset OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
  launch mpirun-hosts "my hosts" "$digits"
  assert_failure 77
  assert_output --partial "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  refute_called "mpirun "
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 launch mpirun-hosts "my hosts" "$digits"
  assert_success
}

@test "mpirun-hosts: exits with the code of mpirun" {
  add_build
  stand_in mpirun <<<'exit 80'
  launch mpirun-hosts "my hosts" "$digits"
  assert_failure 80
}

# MARK: Signals

signal_to_hosts() { # signal_to_hosts SIGNAL...
  signal_to "$*" project/launch/mpirun-hosts "my hosts" "$digits"
}

saves_after() { # saves_after SIGNAL...
  add_build
  add_saving_launcher mpirun
  signal_to_hosts "$@"
  assert_failure 75
  assert_output --partial saved
}

@test "mpirun-hosts: TERM saves a checkpoint" { saves_after TERM; }
@test "mpirun-hosts: HUP saves a checkpoint" { saves_after HUP; }
@test "mpirun-hosts: INT saves a checkpoint" { saves_after INT; }
@test "mpirun-hosts: USR1 saves a checkpoint" { saves_after USR1; }

@test "mpirun-hosts: USR2 reaches the ranks, and the training continues" {
  add_build
  add_saving_launcher mpirun
  sed -i "s/^trap save USR1/&; trap 'echo kept; touch \"\$BIN\/launcher-saves\"' USR2/" bin/mpirun
  signal_to_hosts USR2 USR1
  assert_failure 75
  assert_output --partial kept
  assert_output --partial saved
}

@test "mpirun-hosts: a repeated TERM does not interrupt the saving" {
  add_build
  add_saving_launcher mpirun
  # A launcher whose handler may not run twice.
  sed -i "s/^save() { /&trap '' USR1; /" bin/mpirun
  signal_to_hosts TERM TERM TERM
  assert_failure 75
  assert_output --partial saved
}

@test "mpirun-hosts: a second INT stops at once" {
  add_build
  add_saving_launcher mpirun
  sed -i 's/ sleep 0.5;/ sleep 3 \& wait;/' bin/mpirun
  signal_to_hosts INT INT
  assert_failure 1
  assert_output --partial "Ctrl-C again to stop at once"
  assert_output --partial killed
}
