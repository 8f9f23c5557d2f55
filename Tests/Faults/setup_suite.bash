# shellcheck shell=bash
# Runs before the fault tests: prepares what the end-to-end tests need too, and builds the tools.

# shellcheck source=Tests/EndToEnd/suite.bash
source "$(dirname "${BASH_SOURCE[0]}")/../EndToEnd/suite.bash"

setup_suite() {
  prepare_suite || return
  local sources tool
  sources=$(dirname "${BASH_SOURCE[0]}")
  "$(first_of cc gcc clang)" -shared -fPIC -O1 -o "$BATS_SUITE_TMPDIR/preload.so" \
    "$sources/preload.c" || return
  for tool in mutate crash-states; do
    "$(first_of c++ g++ clang++)" -std=c++17 -O1 -o "$BATS_SUITE_TMPDIR/$tool" \
      "$sources/$tool.cpp" || return
  done
}

first_of() { command -v "$@" | head -n 1; } # first_of COMMAND...
