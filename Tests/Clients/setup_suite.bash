# shellcheck shell=bash
# Runs before the tests with other programs.

# shellcheck source=Tests/EndToEnd/suite.bash
source "$(dirname "${BASH_SOURCE[0]}")/../EndToEnd/suite.bash"

setup_suite() { prepare_suite; }
