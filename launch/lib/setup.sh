# shellcheck shell=bash
# Functions of all launch scripts: checks of the system, and the build. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Prints the comment at the top of a script, which is its usage text.
usage() { # usage SCRIPT
  sed -n '2,/^$/s/^#\( \|$\)//p' "$1"
}

# Prints the usage text and exits, if the script's first argument asks for it.
handle_help() { # handle_help ARGUMENT...
  if [[ ${1-} == --help || ${1-} == -h ]]; then
    usage "$0"
    exit 0
  fi
}

# Ends the script with a message. Exit codes are those of sysexits.h, as in `lockstep` itself.
fail() { # fail EXIT-CODE LINE...
  local code=$1
  shift
  printf '%s\n' "error: $1" "${@:2}" >&2
  exit "$code"
}

# MARK: Environment modules

# Loads the environment modules that LOCKSTEP_MODULES names ("gcc openmpi/4.1"), and runs the site's
# commands in launch/site.sh where there is such a file.
load_modules() {
  local init name log status
  # The files of sites are not written for the shell options of these scripts.
  if [[ -r $root/launch/site.sh ]]; then
    set +eu
    # shellcheck source=/dev/null
    source "$root/launch/site.sh"
    set -eu
  fi
  [[ -n ${LOCKSTEP_MODULES-} ]] || return 0
  for init in "${MODULESHOME-}"/init/bash "${LMOD_PKG-}"/init/bash \
    /usr/share/{lmod/lmod,modules,Modules}/init/bash /etc/profile.d/{modules,lmod}.sh; do
    ! declare -F module >/dev/null || break
    if [[ -r $init ]]; then
      set +eu
      # shellcheck source=/dev/null
      source "$init"
      set -eu
    fi
  done
  declare -F module >/dev/null ||
    fail 69 "LOCKSTEP_MODULES names '$LOCKSTEP_MODULES', and this host has no environment modules." \
      "Set MODULESHOME to their folder, which has init/bash, or unset LOCKSTEP_MODULES."
  log=$(mktemp)
  for name in $LOCKSTEP_MODULES; do
    status=0
    set +eu
    module load "$name" >"$log" 2>&1 || status=$?
    set -eu
    # Old versions say that they failed, and return 0.
    if ((status != 0)) || grep -q "ERROR" "$log"; then
      cat "$log" >&2
      rm -f "$log"
      fail 69 "the module '$name' of LOCKSTEP_MODULES cannot be loaded on $(uname -n)." \
        "'module avail ${name%%/*}' lists what there is."
    fi
  done
  rm -f "$log"
}

# MARK: Swift

readonly swift_needed=6.2

require_swift() {
  if ! command -v swift >/dev/null; then
    fail 69 "Lockstep needs Swift $swift_needed or newer, and there is no 'swift' on the PATH." \
      "$(how_to_get_swift)"
  fi
  local found
  found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p') || true
  if [[ -z $found ]]; then
    fail 69 "'$(command -v swift) --version' prints no Swift version: the toolchain is broken." \
      "$(how_to_get_swift)"
  fi
  if [[ $(printf '%s\n' "$swift_needed" "$found" | sort -V | head -n 1) != "$swift_needed" ]]; then
    fail 69 "Lockstep needs Swift $swift_needed or newer, and '$(command -v swift)' is $found." \
      "$(how_to_get_swift)"
  fi
}

how_to_get_swift() {
  cat <<'TEXT'
Install it with swiftly, Swift's own installer (needs no root):
  curl -O "https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz"
  tar zxf "swiftly-$(uname -m).tar.gz" && ./swiftly init
  . "${SWIFTLY_HOME_DIR:-$HOME/.local/share/swiftly}/env.sh"
or see https://www.swift.org/install/linux/. Then run this command again.
TEXT
}

# MARK: System packages

# What scripts need from the system. A line has the check (kind and name), then the packages for
# apt, dnf, pacman and brew.
#
# LOCKSTEP_MPI names the MPI library that Package.swift builds with, as pkg-config does. Packages are known
# of Open MPI, which is the default, and of MPICH; another one has to be there.
case ${LOCKSTEP_MPI:-ompi-c} in
  ompi-c) mpi_needs=(
    "library ompi-c      libopenmpi-dev   openmpi-devel       openmpi   open-mpi"
    "command mpirun      openmpi-bin      openmpi             openmpi   open-mpi"
  ) ;;
  mpich) mpi_needs=(
    "library mpich         libmpich-dev   mpich-devel         mpich     mpich"
    "command mpiexec.hydra mpich          mpich               mpich     mpich"
  ) ;;
  *) mpi_needs=() ;;
esac

# shellcheck disable=SC2034
readonly build_needs=(
  "command pkg-config  pkg-config       pkgconf-pkg-config  pkgconf   pkgconf"
  "library openblas    libopenblas-dev  openblas-devel      openblas  openblas"
  "${mpi_needs[@]}"
  "library zlib        zlib1g-dev       zlib-devel          zlib      zlib"
  "library libturbojpeg libturbojpeg0-dev turbojpeg-devel libjpeg-turbo jpeg-turbo"
  "library libpng      libpng-dev       libpng-devel        libpng    libpng"
)
# shellcheck disable=SC2034
readonly bats_needs=(
  "command bats bats bats bats bats-core"
  "bats-library bats-support bats-support bats-support bats-support bats-core/bats-core/bats-support"
  "bats-library bats-assert bats-assert bats-assert bats-assert bats-core/bats-core/bats-assert"
  "bats-library bats-file bats-file bats-file bats-file bats-core/bats-core/bats-file"
)
# shellcheck disable=SC2034
readonly clients_needs=(
  "python-module ensurepip python3-venv python3 python python"
  "command chromium chromium chromium chromium chromium"
)

# Runs the check of a need.
is_present() { # is_present KIND NAME
  case $1 in
    command) command -v "$2" >/dev/null ;;
    library) pkg-config --exists "$2" 2>/dev/null ;;
    bats-library) has_bats_library "$2" ;;
    python-module) python3 -c "import $2" 2>/dev/null ;;
  esac
}

# Prints the value of BATS_LIB_PATH, the folders in which bats looks for libraries. Packages put
# them into PREFIX/lib/bats (apt), PREFIX/lib (pacman, brew), or the same in share.
bats_library_path() {
  local prefix folders
  prefix=$(dirname "$(dirname "$(command -v bats)")")
  printf -v folders '%s:' "$prefix"/{lib,share}{,/bats}
  printf '%s\n' "${BATS_LIB_PATH:-${folders%:}}"
}

has_bats_library() { # has_bats_library NAME
  local folder folders
  IFS=: read -ra folders <<<"$(bats_library_path)"
  for folder in "${folders[@]}"; do
    [[ -e $folder/$1/load.bash ]] && return
  done
  return 1
}

# Prints the needs that are not met, one per line.
missing_needs() { # missing_needs NEED...
  local need kind name
  for need in "$@"; do
    read -r kind name _ <<<"$need"
    is_present "$kind" "$name" || printf '%s\n' "$need"
  done
}

# Installs missing system packages with apt-get; names them for other package managers.
require_packages() { # require_packages NEED...
  local missing
  if ((${#mpi_needs[@]} == 0)) && ! pkg-config --exists "$LOCKSTEP_MPI" 2>/dev/null; then
    fail 69 "pkg-config does not find '$LOCKSTEP_MPI', which LOCKSTEP_MPI names as the MPI library." \
      "Name ompi-c (the default) or mpich, or add the folder of its .pc file to PKG_CONFIG_PATH."
  fi
  missing=$(missing_needs "$@")
  [[ -n $missing ]] || return 0

  local column installer
  if command -v apt-get >/dev/null; then
    install_with_apt "$(package_names 3 "$missing")"
    missing=$(missing_needs "$@")
    [[ -n $missing ]] || return 0
    fail 69 "still not found after the installation: $(package_names 3 "$missing")." \
      "Looked for: $(checks "$missing"). Does 'pkg-config --exists --print-errors LIBRARY' succeed?"
  elif command -v dnf >/dev/null; then
    column=4 installer="sudo dnf install -y"
  elif command -v pacman >/dev/null; then
    column=5 installer="sudo pacman -S --needed"
  elif command -v brew >/dev/null; then
    column=6 installer="brew install"
  else
    fail 69 "missing system packages, by their Debian names: $(package_names 3 "$missing")." \
      "Install them with this system's package manager, then run this command again."
  fi
  local names hint="Then run this command again."
  names=$(package_names "$column" "$missing")
  if ((column == 4)) && [[ $names =~ (openmpi|mpich)-devel ]]; then
    hint="Then 'module load mpi/${BASH_REMATCH[1]}-x86_64' in a new shell, and run this command again."
  fi
  fail 69 "missing system packages. Install them with:" "  $installer $names" "$hint"
}

# Prints the packages of needs for one package manager, each once.
package_names() { # package_names COLUMN NEEDS
  awk -v column="$1" '!seen[$column]++ { printf "%s%s", separator, $column; separator = " " }' \
    <<<"$2"
}

# Prints the checks of needs.
checks() { # checks NEEDS
  awk '{ printf "%s%s %s", separator, $1, $2; separator = ", " }' <<<"$1"
}

install_with_apt() { # install_with_apt "PACKAGE..."
  local packages=$1 as_root=() log
  local by_hand="apt-get update && apt-get install -y $packages"
  if (($(id -u) != 0)); then
    command -v sudo >/dev/null ||
      fail 69 "missing system packages, and there is no sudo. Run as root:" "  $by_hand"
    as_root=(sudo)
    # Without a terminal nobody can type a password: fail instead of waiting for one.
    [[ -t 0 ]] || as_root=(sudo -n)
    by_hand="sudo apt-get update && sudo apt-get install -y $packages"
  fi

  echo "installing: $packages"
  log=$(mktemp)
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
  # The update fails if any repository is unreachable; that does not matter if the install works.
  "${as_root[@]}" update >"$log" 2>&1 || true
  # shellcheck disable=SC2086 # One word per package.
  if ! "${as_root[@]}" install -y --no-install-recommends $packages >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail 69 "could not install the system packages. Run this by hand:" "  $by_hand"
  fi
  rm -f "$log"
}

# MARK: The build

# Builds in release mode with one line of progress; prints the log if the build fails. All scripts
# use the same mode and flags, so that they share build products.
build() { # build WHAT SWIFT-BUILD-OPTION...
  local what=$1 log=$root/.build/launch.log
  shift
  if [[ ! -d $root/.build/release ]]; then
    what+=" (the first build takes about 4 minutes on 2 cores)"
  fi
  mkdir -p "$root/.build"
  echo "building $what"
  if ! swift build --package-path "$root" -c release "$@" 2>&1 </dev/null |
    tee "$log" | show_last_line; then
    cat "$log" >&2
    fail 70 "the build failed; its log is above, and in $log."
  fi
}

# Shows only the newest line of standard input, if standard output is a terminal.
show_last_line() {
  local line columns
  if [[ ! -t 1 ]]; then
    cat >/dev/null
    return
  fi
  columns=$(tput cols 2>/dev/null || echo 80)
  while IFS= read -r line; do
    printf '\r\033[K  %s' "${line:0:columns-3}"
  done
  printf '\r\033[K'
}

# Prints the folder of build products: .build/release if it links there.
binary_folder() {
  local folder
  folder=$(swift build --package-path "$root" -c release --show-bin-path)
  if [[ $root/.build/release -ef $folder ]]; then
    folder=$root/.build/release
  fi
  from_here "$folder"
}

# Prints a path, relative to the working directory if it is below that.
from_here() { # from_here PATH
  printf '%s\n' "${1#"$PWD"/}"
}

# MARK: mpirun

# Lets mpirun run as root, which it refuses by default: in containers there may be no other user.
allow_mpirun_as_root() {
  if (($(id -u) == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}
