# shellcheck shell=bash
# Runs before the tests of a build with MPICH, which LOCKSTEP_MPICH names.

# shellcheck source=Tests/EndToEnd/suite.bash
source "$(dirname "${BASH_SOURCE[0]}")/../EndToEnd/suite.bash"

setup_suite() {
  prepare_suite || return
  cp "$LOCKSTEP_MPICH" "$BATS_SUITE_TMPDIR/lockstep-mpich"
}
