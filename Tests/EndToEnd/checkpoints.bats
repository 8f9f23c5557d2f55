#!/usr/bin/env bats
# Checkpoints that are damaged or cannot be written, and `lockstep checkpoint info`.
# shellcheck disable=SC2016 # What stands in single quotes is expanded by another shell.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# Trains `short`, with checkpoints of steps 100 and 120, and truncates the newer one in `damaged`.
make_damaged_run() {
  lockstep "${short[@]}" --run-dir short
  assert_success
  cp -r short damaged
  truncate -s 1000 damaged/checkpoints/step-000120/model.safetensors
}

@test "checkpoints: a truncated one is skipped with a warning" {
  make_damaged_run
  lockstep "${short[@]}" --run-dir damaged
  assert_success
  assert_stderr_fits '^warning: checkpoint of step 120 .*model.safetensors'
  assert_line --regexp '^resuming after step 100 '
  assert_same_weights short damaged
  assert_logs_every_step damaged 120
}

@test "checkpoints: eval and predict say that the newest is damaged, and --strict refuses (65)" {
  make_damaged_run
  lockstep eval damaged
  assert_success
  assert_stderr_fits '^warning: checkpoint of step 120 is damaged; using that of step 100: '
  lockstep eval damaged --strict
  assert_failed_with 65 'step 120, is damaged, and --strict .* step 100'
  lockstep predict damaged "$digits" --strict
  assert_failed_with 65 'step 120, is damaged'
  lockstep eval short --strict
  assert_success
  refute_stderr_at_all
  # Resuming keeps the damaged one.
  lockstep "${short[@]}" --run-dir damaged
  assert_success
  assert_dir_exists damaged/checkpoints/rejected/step-000120
}

@test "checkpoints: without a usable one, training is refused and nothing overwritten (65)" {
  make_damaged_run
  printf 'x' >>damaged/checkpoints/step-000100/state.json
  cp -r damaged before
  lockstep "${short[@]}" --run-dir damaged
  assert_failed_with 65 'none of the 2 checkpoints'
  diff -r before damaged
  lockstep eval damaged
  assert_failed_with 65 'none of the 2 checkpoints'
  ranks 2 "${short[@]}" --run-dir damaged
  assert_failed_with 65 'none of the 2'
  diff -r before damaged
}

@test "checkpoints: an audited one is resumed from before a newer one that is not" {
  lockstep "${short[@]}" --run-dir short
  assert_success
  lockstep checkpoint info short
  assert_line --regexp '^audited +yes$'
  # As an earlier version writes it.
  cp -r short mixed
  sed -i 's/"version":3/"version":2/; s/"audited":true,//; s/],"crc32":"[0-9a-f]*"}$/]}/' \
    mixed/checkpoints/step-000120/manifest.json
  lockstep checkpoint info mixed
  assert_success
  assert_line --regexp '^step +120$'
  assert_line --regexp '^audited +no$'
  cp -r mixed earlier
  lockstep "${short[@]}" --run-dir mixed
  assert_success
  assert_stderr_fits '^warning: checkpoint of step 120 was not audited .* step 100, which was.* --resume mixed/checkpoints/rejected/step-000120$'
  assert_line --regexp '^resuming after step 100 '
  assert_same_weights short mixed
  assert_logs_every_step mixed 120
  # Where none is audited, the newest is used, without a word.
  sed -i 's/"version":3/"version":2/; s/"audited":true,//; s/],"crc32":"[0-9a-f]*"}$/]}/' \
    earlier/checkpoints/step-000100/manifest.json
  lockstep "${short[@]}" --run-dir earlier
  assert_success
  assert_line --regexp '^resuming after step 120 '
  refute_stderr_at_all
}

# MARK: Disks

@test "checkpoints: one that cannot be written does not stop the training, which ends with 74" {
  # The weights of this model take more than the files that are permitted here.
  launch bash -c 'ulimit -f 200; "$@"' bash "$lockstep" "${short[@]}" \
    --set 'model.hidden=[512, 128]' --run-dir limited
  assert_failed_with 74 'step 120 was not saved'
  assert_stderr_fits '^warning: .*step 20 .*continues'
  assert_logs_every_step limited 120
}

# Sets `disk` to a mounted disk of 400 KB, or with the OPTIONS of tmpfs.
mount_disk() { # mount_disk [OPTIONS]
  (($(id -u) == 0)) || skip "only root can mount a small disk"
  disk=$BATS_FILE_TMPDIR/disk
  mkdir -p "$disk"
  mount -t tmpfs -o "${1:-size=400k}" none "$disk" 2>/dev/null || skip "no disk can be mounted here"
}

@test "checkpoints: on a disk without inodes the message says so, and not that bytes are missing" {
  mount_disk size=8m,nr_inodes=30
  lockstep "${short[@]}" --set checkpoint.keep=0 --run-dir "$disk/run"
  assert_failed_with 74 'no inode is free'
  lockstep checkpoint info "$disk/run"
  assert_success
}

teardown_file() {
  while mountpoint -q "$BATS_FILE_TMPDIR/disk"; do umount "$BATS_FILE_TMPDIR/disk"; done
}

@test "checkpoints: on a full disk the training ends with 74, and the good ones stay" {
  mount_disk
  lockstep "${short[@]}" --set checkpoint.keep=0 --run-dir "$disk/run"
  assert_failed_with 74 'No space left'
  assert_dir_exists "$disk/run/checkpoints/step-000020"
  lockstep checkpoint info "$disk/run"
  assert_success
  ranks 2 "${short[@]}" --set checkpoint.keep=0 --run-dir "$disk/run2"
  assert_failed_with 74 'No space left'
}

# MARK: Info

@test "checkpoint info: describes a run" {
  copy_trained_run
  lockstep checkpoint info trained
  assert_success
  assert_line --regexp '^step +1,380$'
  assert_line --regexp 'F32 +\[128, 64\]'
}

@test "checkpoint info: describes a file that PyTorch wrote" {
  lockstep checkpoint info "$root/Tests/CheckpointingTests/Goldens/mlp.safetensors"
  assert_success
  assert_line --regexp '4 tensors, 2,410 numbers'
}

@test "checkpoint info: a file of another kind is an error (66)" {
  echo 1,2,3 >numbers.csv
  lockstep checkpoint info numbers.csv
  assert_failed_with 66 'numbers.csv'
}

@test "checkpoint info: a truncated file is an error (65)" {
  copy_trained_run
  head -c 100 "$(weights trained)" >torn.safetensors
  lockstep checkpoint info torn.safetensors
  assert_failed_with 65 'torn.safetensors'
}
