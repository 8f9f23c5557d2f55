# shellcheck shell=bash
# What every bats test loads: the assertion libraries, and the root of the repository.
#
# launch/test says in BATS_LIB_PATH where the libraries are; without it bats looks in /usr/lib/bats.

bats_require_minimum_version 1.7.0
bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

# shellcheck disable=SC2034 # The tests use it.
root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
