# shellcheck shell=bash
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2034,SC2154 # Variables are shared with the tests and the libraries.
# The sandbox of the launch scripts' tests: a copy of the scripts, and a PATH on which swift, bats,
# mpirun, Slurm's commands, apt-get, sudo and id are stand-ins that record how they were called.

load ../bats

digits=project/configs/digits-mlp.yaml

# Each test starts with its copy of the sandbox as working directory.
setup() {
  sandbox=$BATS_TEST_TMPDIR
  binary=$sandbox/project/.build/release/lockstep
  export CALLS=$sandbox/calls
  export INSTALLED=$sandbox/installed PROJECT=$sandbox/project BIN=$sandbox/bin
  tools=$BATS_FILE_TMPDIR/tools
  cp -a "$BATS_FILE_TMPDIR/sandbox/." "$sandbox"
  cd "$sandbox" || return
}

# Makes the sandbox: a system with everything installed, and an ordinary user with sudo.
setup_file() {
  cd "$BATS_FILE_TMPDIR" || return
  mkdir -p tools sandbox/{bin,installed,project/Tests/Launch}
  local name
  for name in awk basename bash cat chmod cp dirname env grep head ls mkdir mktemp mv paste rm sed \
    setsid sleep sort tail tee timeout touch tput uname; do
    ln -s "$(command -v "$name")" "tools/$name"
  done

  cd sandbox || return
  cp -r "$root/launch" "$root/configs" project
  touch installed/{openblas,ompi-c,zlib,libturbojpeg,libpng}
  for name in support assert file; do
    mkdir -p "lib/bats/bats-$name"
    touch "lib/bats/bats-$name/load.bash"
  done

  stand_in id <<<'echo 1000'
  stand_in sudo <<<'[[ $1 == -n ]] && shift; exec "$@"'
  stand_in pkg-config <<<'[[ $1 == --exists && -e $INSTALLED/$2 ]]'
  stand_in bats <<<'echo "libraries: $BATS_LIB_PATH"'
  stand_in mpirun <<'TEXT'
echo "◇ Test run started."
echo "✔ Test run with 7 tests in 2 suites passed after 0.1 seconds."
TEXT
  stand_in apt-get <<'TEXT'
[[ " $* " == *" install "* ]] || exit 0
for package in "$@"; do
  case $package in
    libopenblas-dev) touch "$INSTALLED/openblas" ;;
    libopenmpi-dev) touch "$INSTALLED/ompi-c" ;;
    zlib1g-dev) touch "$INSTALLED/zlib" ;;
    libturbojpeg0-dev) touch "$INSTALLED/libturbojpeg" ;;
    libpng-dev) touch "$INSTALLED/libpng" ;;
    openmpi-bin) cp "$BIN/apt-get" "$BIN/mpirun" ;;
    bats) cp "$BIN/apt-get" "$BIN/bats" ;;
    bats-*)
      mkdir -p "$BIN/../lib/bats/$package"
      touch "$BIN/../lib/bats/$package/load.bash"
      ;;
  esac
done
TEXT
  stand_in swift <<'TEXT'
release=$PROJECT/.build/release
case "$*" in
  --version) echo "Swift version ${SWIFT_VERSION:-6.2.1} (swift-RELEASE)" ;;
  *--show-bin-path*) echo "$release" ;;
  build*)
    mkdir -p "$release"
    cp "$BIN/lockstep" "$release/lockstep"
    ;;
esac
TEXT
  stand_in lockstep <<'TEXT'
printf '[%s]' "$@"
echo
exit "${LOCKSTEP_EXIT:-0}"
TEXT
}

# Puts an executable on the sandbox's PATH; standard input is its text.
stand_in() { # stand_in NAME
  {
    echo '#!/usr/bin/env bash'
    echo 'echo "$(basename "$0") $*" >>"$CALLS"'
    cat
  } >"bin/$1"
  chmod +x "bin/$1"
}

# Adds the built command, and a host file.
add_build() {
  mkdir -p project/.build/release
  cp bin/lockstep project/.build/release
  echo "localhost slots=2" >"my hosts"
}

# Adds an mpirun or srun that saves for a while after USR1, and that TERM ends at once. It says by
# files how far it is.
add_saving_launcher() { # add_saving_launcher NAME
  stand_in "$1" <<'TEXT'
[[ $1 == --mpi=list ]] && echo pmix && exit
save() { touch "$BIN/launcher-saves"; sleep 0.5; echo saved; exit 75; }
trap save USR1
trap 'echo killed; exit 1' TERM INT
touch "$BIN/launcher-runs"
for ((i = 0; i < 100; i++)); do sleep 0.1; done
TEXT
}

# Runs a script of the sandbox's copy; sets `status` and `output`, as `run` does. The libraries of
# bats are found through the sandbox's bats, or in $libraries.
launch() { # launch SCRIPT ARGUMENT...
  : >"$CALLS"
  run env PATH="$BIN:$tools" BATS_LIB_PATH="${libraries-}" \
    "project/launch/$1" "${@:2}" </dev/null
}

# Starts a script in its own process group, sends signals to the whole group, as a terminal does,
# and waits for it: the first signal when its launcher runs, the next ones from when it saves.
# Sets `status` and `output`.
signal_to() { # signal_to SIGNALS SCRIPT ARGUMENT...
  : >"$CALLS"
  set -m
  PATH=$BIN:$tools "${@:2}" >out 2>&1 </dev/null 3>&- &
  set +m
  local script=$! signal
  wait_for bin/launcher-runs
  for signal in $1; do
    kill -s "$signal" -- "-$script" || true
    wait_for bin/launcher-saves
    sleep 0.1
  done
  status=0
  wait "$script" || status=$?
  output=$(<out)
}

# Waits until a file is there, for at most 5 s.
wait_for() { # wait_for FILE
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    [[ ! -e $1 ]] || return 0
    sleep 0.05
  done
}

# A stand-in was called with this command line (--partial: with one that contains it).
assert_called() { # assert_called [--partial] LINE
  local output lines
  output=$(<"$CALLS")
  mapfile -t lines <<<"$output"
  assert_line "$@"
}

# No stand-in was called with a command line that contains the text.
refute_called() { # refute_called TEXT
  local output
  output=$(<"$CALLS")
  refute_output --partial "$1"
}
