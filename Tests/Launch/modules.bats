#!/usr/bin/env bats
# The environment modules of LOCKSTEP_MODULES, and launch/site.sh.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2154 # sandbox.bash sets `sandbox`, `binary` and `digits`.

load sandbox

# Adds an installation of environment modules; MODULE is the body of its `module`.
add_modules() { # add_modules MODULE
  mkdir -p modules/init
  echo 'unset_variable=$SURELY_UNSET; module() { '"$1"'; }' >modules/init/bash
  export MODULESHOME=$sandbox/modules
}

@test "modules: are loaded before the checks, also in a job" {
  add_build
  add_modules 'echo "module $*" >>"$CALLS"; PATH=$PATH:$PROJECT/opt/bin'
  mkdir -p project/opt/bin
  mv bin/mpirun project/opt/bin
  export LOCKSTEP_MODULES="gcc/12 openmpi"
  LD_LIBRARY_PATH='' launch mpirun-hosts "my hosts" "$digits"
  assert_success
  assert_called "module load gcc/12"
  assert_called "module load openmpi"
  # The other hosts have no modules: mpirun takes its own installation there.
  assert_called "mpirun --hostfile my hosts --map-by slot:PE=1 --bind-to core\
 --prefix $PROJECT/opt -x OPENBLAS_NUM_THREADS=1 $binary train $digits"
  SLURM_JOB_ID=17 launch slurm-mpirun.sbatch "$digits"
  assert_success
  assert_called "module load openmpi"
  stand_in qsub <<<'cat >job'
  launch pbs.sh -- "$digits"
  run cat job
  assert_line --partial "exec env LOCKSTEP_MODULES=gcc/12\\ openmpi $PROJECT/launch/pbs.sh"
}

@test "modules: one that cannot be loaded is named" {
  add_build
  local module
  for module in 'echo "cannot locate $2" >&2; return 1' 'echo "ModuleCmd_Load.c(213):ERROR:105: $2"'; do
    add_modules "$module"
    LOCKSTEP_MODULES=openmpi/9 launch mpirun-hosts "my hosts" "$digits"
    assert_failure 69
    assert_output --partial "the module 'openmpi/9' of LOCKSTEP_MODULES cannot be loaded on"
    assert_output --partial "'module avail openmpi' lists what there is"
    refute_called "mpirun "
  done
  assert_output --partial "ERROR:105: openmpi/9"
}

@test "modules: a host without them says so, and --help needs none" {
  add_build
  unset MODULESHOME LMOD_PKG
  if compgen -G "/usr/share/*odules/init/bash" || [[ -e /usr/share/lmod ]]; then
    skip "this host has environment modules"
  fi
  LOCKSTEP_MODULES=openmpi launch mpirun-hosts "my hosts" "$digits"
  assert_failure 69
  assert_output --partial "this host has no environment modules"
  LOCKSTEP_MODULES=openmpi launch mpirun-hosts --help
  assert_success
}

@test "modules: launch/site.sh runs before the checks" {
  add_build
  # Such a file is not written for scripts that end at an unset variable, or at a command that fails.
  echo 'export FOLDER=$SURELY_UNSET/lib; false; export SITE=here' >project/launch/site.sh
  stand_in mpirun <<<'echo "site $SITE"'
  launch mpirun-hosts "my hosts" "$digits"
  assert_success
  assert_output --partial "site here"
}
