# shellcheck shell=bash
# Runs before the end-to-end tests.

# shellcheck source=Tests/EndToEnd/suite.bash
source "$(dirname "${BASH_SOURCE[0]}")/suite.bash"

setup_suite() { prepare_suite; }
