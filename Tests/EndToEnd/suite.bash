# shellcheck shell=bash
# What runs once before the tests of the command.

# Copies the built programs, and trains a run that many tests need. Programs are those of
# LOCKSTEP_BINARIES, or of the last release build.
prepare_suite() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  # shellcheck source=launch/lib/setup.sh
  source "$root/launch/lib/setup.sh"
  allow_mpirun_as_root

  # Nobody else runs the copies: whatever process does is a test's.
  cp "${LOCKSTEP_BINARIES:-$root/.build/release}"/{lockstep,data-parallel-example} \
    "$BATS_SUITE_TMPDIR" || return
  "$BATS_SUITE_TMPDIR/lockstep" train "$root/configs/digits-mlp.yaml" \
    --run-dir "$BATS_SUITE_TMPDIR/trained"
}
