#!/usr/bin/env bats
# Numbers, files and models that are too large: one message and an exit code, never a trap.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

huge=9223372036854775807

assert_no_crash() {
  local output=$stderr
  refute_output --regexp 'acktrac|rashed|Fatal'
}

@test "huge numbers of steps and samples are refused (78)" {
  local key
  for key in epochs steps globalBatch evaluationBatches microBatches; do
    lockstep train "$digits" --set "training.$key=$huge"
    assert_failed_with 78 "'training.$key'.*$huge.*allowed: an integer from 1 to 1000"
  done
  lockstep train "$digits" --set "model.hidden=[4611686018427387904]"
  assert_failed_with 78 "'model.hidden'"
}

@test "huge numbers on the command line are refused (64)" {
  lockstep bench step --workload mlp --seconds 1e300
  assert_failed_with 64 'at most 86400'
  lockstep generate nowhere --count "$huge"
  assert_failed_with 64 'from 0 to 1000000000'
  lockstep generate nowhere --temperature inf
  assert_failed_with 64 'temperature'
  lockstep train "$digits" --max-steps "${huge}0"
  assert_failed_with 64 'max-steps'
}

@test "a run may be asked to stop after more steps than it has" {
  lockstep train "$digits" --set training.epochs=1 --max-steps "$huge" \
    --set "schedule.warmupSteps=$huge" --set "checkpoint.everySteps=$huge" \
    --set "checkpoint.keep=$huge" --set "logging.everySteps=$huge" --run-dir run
  assert_success
}

@test "a model that is too large for the memory is refused with the bytes (78)" {
  local pattern='1,099,5[0-9,]* parameters on 1 rank needs at least 17,593,[0-9,]* bytes .* available'
  lockstep train "$digits" --set "model.hidden=[1048576,1048576]"
  assert_failed_with 78 "$pattern"
  assert_no_crash
  lockstep config check "$digits" --set "model.hidden=[1048576,1048576]"
  assert_failed_with 78 "$pattern"
}

@test "a model that is too large for the memory is refused once on 2 ranks (78)" {
  ranks 2 train "$digits" --set "model.hidden=[1048576,1048576]"
  assert_failed_with 78 'on 2 ranks needs at least [0-9,]* bytes'
  assert_no_crash
}

@test "predict: reads header, byte-order mark and quotes as training does" {
  copy_trained_run
  local zeros
  zeros=$(printf '0,%.0s' {1..63})0
  { printf '\357\273\277' && printf 'p%d,' {1..63} && printf '"p,64"\r\n"0",%s\r\n' "${zeros#0,}"; } >a.csv
  lockstep predict trained a.csv
  assert_success
  assert_one_line "$out" $'^a.csv\t0\t'
  printf '%s\n' "0x10${zeros#0}" "$zeros" >b.csv
  lockstep predict trained b.csv
  assert_failed_with 65 "b.csv: row 1, column 1: '0x10' is not a number"
}

@test "predict: a file without samples is refused (65)" {
  copy_trained_run
  : >empty.csv
  lockstep predict trained empty.csv
  assert_failed_with 65 'empty.csv: no samples'
  printf '\0\0\10\3\0\0\0\0\0\0\0\10\0\0\0\10' >none-images-idx3-ubyte
  lockstep predict trained none-images-idx3-ubyte
  assert_failed_with 65 'no samples'
}

@test "a small gzip file does not fill the memory (65)" {
  head -c 150000000 /dev/zero | tr '\0' 0 | gzip -9 >bomb.csv.gz
  lockstep train "$digits" --set data.kind=csv --set data.path=bomb.csv.gz --set data.validation=1
  assert_failed_with 65 'bytes once inflated: use gunzip first'
}

@test "a list in comments is no list of aliases" {
  { printf '# * item\n%.0s' {1..20} && cat "$digits"; } >commented.yaml
  lockstep config check commented.yaml
  assert_success
}
