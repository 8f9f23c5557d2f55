#!/usr/bin/env bats
# launch/package, and the files for containers. launch/test package runs the real ones.
# shellcheck disable=SC2016 # The text of a stand-in is expanded when it runs.
# shellcheck disable=SC2154 # sandbox.bash and bats.bash set `sandbox`, `root` and `digits`.

load sandbox

# Adds libraries, and stand-ins for the tools that look at programs: the program needs one.so and what
# every node has, one.so needs two.so.
add_libraries() {
  mkdir -p libraries
  touch project/LICENSE libraries/{one.so,two.so}
  mkdir -p project/.build/package/checkouts/Yams
  echo "MIT" >project/.build/package/checkouts/Yams/LICENSE
  stand_in lockstep <<<'echo "lockstep 1.2.3"'
  stand_in strip <<<''
  stand_in clang <<<''
  stand_in ar <<<''
  stand_in dpkg-query <<<'exit 1'
  stand_in objdump <<'TEXT'
needs() { printf '  NEEDED               %s\n' "$@"; }
for file in "$@"; do
  case $file in
    */lockstep)
      needs libmpi.so.40 one.so libc.so.6
      printf '    0x06969194 0x00 06 GLIBC_2.4\n    0x06969194 0x00 06 GLIBC_2.17\n'
      printf '    0x06969194 0x00 06 GLIBCXX_3.4.21\n'
      ;;
    */one.so)
      needs two.so libm.so.6
      printf '    0x06969194 0x00 06 GLIBC_2.29\n'
      ;;
  esac
done
TEXT
  # The built program finds the system's libraries, the packaged one those beside it.
  stand_in ldd <<'TEXT'
case $1 in
  */bin/lockstep) from=$(dirname "$1")/../lib ;;
  *) from=$BIN/../libraries ;;
esac
printf '\tone.so => %s/one.so (0x0)\n\ttwo.so => %s/%s (0x0)\n' "$from" "${TWO_FROM-$from}" two.so
TEXT
  stand_in pkg-config <<<'[[ $1 != --modversion ]] || echo 4.1.4; [[ $1 != --exists || -e $INSTALLED/$2 ]]'
  local name
  for name in find gzip readlink tar wc; do
    [[ -e bin/$name ]] || ln -sf "$(command -v "$name")" "bin/$name"
  done
}

@test "package: has the program, its libraries, the scripts and the licences" {
  add_libraries
  launch package --output p.tar.gz
  assert_success
  assert_called "swift build --package-path $PROJECT -c release --product lockstep --static-swift-stdlib\
 --scratch-path $PROJECT/.build/package -Xlinker -L$PROJECT/.build/package/no-curl -Xlinker -rpath -Xlinker \$ORIGIN/../lib\
 -Xlinker --disable-new-dtags"
  assert_line "needs   linux-$(uname -m) with glibc 2.29 or newer, libstdc++ with GLIBCXX_3.4.21, zlib,\
 Open MPI with libmpi.so.40 (made with Open MPI 4.1.4)"
  assert_output --partial "warning: found no licence of two.so"
  tar -xzf p.tar.gz
  cd "lockstep-1.2.3-linux-$(uname -m)"
  run find . -type f
  local file
  for file in bin/lockstep lib/one.so lib/two.so licenses/Yams-LICENSE.txt LICENSE README.md \
    configs/digits-mlp.yaml launch/mpirun-hosts launch/slurm-srun.sbatch launch/pbs.sh; do
    assert_line "./$file"
  done
  refute_line --partial libmpi
  refute_line --partial libc.so
  run cat README.md
  assert_line --partial "Linux on $(uname -m) with glibc 2.29 or newer"
}

@test "package: its scripts find its program" {
  add_libraries
  launch package --output p.tar.gz
  tar -xzf p.tar.gz -C project --strip-components 1
  rm -r project/.build
  echo "localhost slots=2" >hosts
  launch mpirun-hosts --print hosts "$digits"
  assert_output --partial " $PROJECT/bin/lockstep train $digits"
  launch mpirun-hosts hosts "$digits"
  assert_success
}

@test "package: the same files make the same archive" {
  add_libraries
  launch package --output one.tar.gz
  touch libraries/*.so project/configs/*
  umask 077
  SOURCE_DATE_EPOCH=0 launch package --output two.tar.gz
  SOURCE_DATE_EPOCH=0 launch package --output three.tar.gz
  cmp two.tar.gz three.tar.gz
}

@test "package: a program that does not take its own libraries is none" {
  add_libraries
  TWO_FROM=/usr/lib launch package --output p.tar.gz
  assert_failure 70
  assert_file_not_exist p.tar.gz
  rm libraries/two.so
  launch package --output p.tar.gz
  assert_failure 70
  assert_output --partial "cannot find two.so, which"
}

@test "package: nothing here uses URLSession, whose libcurl the package lacks" {
  run grep -rnE '^[^/]*(FoundationNetworking|URLSession|Data\(contentsOf: URL\(string)' "$root/Sources"
  assert_failure 1
}

@test "package: refuses what it cannot use" {
  launch package --outputs x
  assert_failure 64
  assert_output --partial "unknown option '--outputs'"
  launch package --output
  assert_failure 64
  launch package --output nowhere/p.tar.gz
  assert_failure 73
  refute_called swift
}

# MARK: Containers

# Prints the packages that the image of a file has installed.
packages_of() { # packages_of FILE
  sed -n 's/.*apt-get install -y --no-install-recommends \([a-z -]*[a-z]\).*/\1/p' "$root/launch/containers/$1"
}

@test "containers: install what the one list of packages names, and copy what is there" {
  local file=$root/launch/containers/Dockerfile path
  run grep -c 'require_packages "${build_needs\[@\]}"' "$file"
  assert_output 1
  run grep -c '"command mpirun  *openmpi-bin ' "$root/launch/lib/setup.sh"
  assert_output 1
  assert_equal "$(packages_of Dockerfile)" "openmpi-bin openssh-client openssh-server"
  assert_equal "$(packages_of lockstep.def)" "openmpi-bin"
  # The usage names files too.
  while read -r path; do
    assert_exist "$root/$path"
  done < <(
    sed -n 's/^COPY \([^-][^ ]*\) .*/\1/p' "$file"
    grep -oh 'launch/[a-z]*/[A-Za-z.]*' "$file" "$root/launch/containers/lockstep.def"
  )
  assert_file_executable "$root/launch/package"
}

@test "kubernetes: the job's command starts the ranks on the operator's hosts" {
  python3 -c 'import yaml' 2>/dev/null || skip "there is no Python with PyYAML"
  add_build
  cat >read.py <<'TEXT'
import sys, yaml

job = yaml.safe_load(open(sys.argv[1]))
assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1", "MPIJob")
replicas = job["spec"]["mpiReplicaSpecs"]
for role in ("Launcher", "Worker"):
    pod = replicas[role]["template"]["spec"]
    container, = pod["containers"]
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes
    assert all(type(word) is str for word in container["command"] + container["args"])
container, = replicas["Launcher"]["template"]["spec"]["containers"]
print("\n".join(container["command"] + container["args"]))
TEXT
  mapfile -t words < <(python3 read.py "$root/launch/kubernetes/mpijob.yaml")
  printf 'lockstep-worker-%s.lockstep.default.svc slots=4\n' 0 1 >hostfile
  words=("${words[@]//\/opt\/lockstep\//project/}")
  words=("${words[@]//\/etc\/mpi\/hostfile/hostfile}")
  assert_equal "${words[0]}" project/launch/mpirun-hosts
  unset LD_LIBRARY_PATH
  launch mpirun-hosts "${words[@]:1}"
  assert_success
  assert_called "mpirun --hostfile hostfile --map-by slot --bind-to none -x OPENBLAS_NUM_THREADS=1\
 $PROJECT/.build/release/lockstep train $digits --run-dir /runs/digits-mlp\
 --set distributed.threadsPerRank=1"
}
