#!/usr/bin/env bats
# `lockstep bench`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "bench step: --json has the keys that comparisons need" {
  lockstep bench step --workload mlp-tiny --seconds 0.2 --json
  assert_success
  local key
  for key in peer version workload ranks threads median_ms min_ms p10_ms p90_ms samples_per_s \
    parameters isa; do
    assert_one_line "$out" "^\{.*\"$key\":.*\}$"
  done
}

@test "bench step: an unknown workload is refused, with the known ones (64)" {
  lockstep bench step --workload huge
  assert_failed_with 64 "'huge'.*mlp"
}

@test "bench step: --profile adds tables of operations and modules, whose rows add up to the step" {
  lockstep bench step --workload mlp-tiny --seconds 0.1 --profile
  assert_success
  assert_line --regexp '^profile of 100 steps, [0-9.]+ ms each; limits: [0-9.]+ GFLOP/s, [0-9.]+ of bfloat16, [0-9.]+ GB/s$'
  assert_line --regexp '^Linear +forward +2 +[0-9.]+ +[0-9.]+ % +[0-9.]+ +[0-9.]+ +[0-9]+ %$'
  assert_line --regexp '^Linear +backward +2 '
  assert_line --regexp '^update +1 +[0-9.]+ +[0-9.]+ %$'
  assert_line --regexp '^all +[0-9.]+ +100\.0 %$'
  assert_line --regexp '^0 +forward +2 '
  lockstep bench step --workload mlp-tiny --seconds 0.1 --profile --json
  assert_success
  assert_one_line "$out" '"profile":\{"steps":100,.*"operation":"Linear",.*"module":"0",.*\}\}$'
}

@test "bench step: --trace has a lane for each rank, with what it waits for" {
  ranks 2 bench step --workload mlp-tiny --seconds 0.1 --profile --trace trace.json
  assert_success
  assert_line --regexp '^wait for slower ranks +1 '
  assert_one_line trace.json '^\{"displayTimeUnit":"ms","traceEvents":\[$'
  local rank
  for rank in 0 1; do
    assert_one_line trace.json "\"process_name\".*\"args\":\{\"name\":\"rank $rank\"\}"
    assert_equal "$(grep -c "\"step [0-9]*\",.*\"pid\":$rank" trace.json)" 100
    # One in each step, and those of comparisons of the weights.
    (($(grep -c "\"wait: all-reduce\".*\"pid\":$rank" trace.json) >= 100))
  done
}

@test "bench step: a trace that cannot be written is an error (73)" {
  lockstep bench step --workload mlp-tiny --seconds 0.1 --trace nowhere/trace.json
  assert_failed_with 73 "nowhere/.trace.json"
}

@test "bench limits: prints each limit for each number of threads" {
  lockstep bench limits --threads 1,2 --seconds 0.01
  assert_success
  local limit
  for limit in 'multiply-add GFLOP/s' 'bfloat16 GFLOP/s' 'sgemm GFLOP/s' 'copy GB/s' 'triad GB/s' \
    'shared sum GB/s' 'operation overhead us'; do
    assert_line --regexp "^      1  $limit +[0-9.]+ +[0-9.]+ +[0-9.]+"
    assert_line --regexp "^      2  $limit +[0-9.]+ +[0-9.]+ +[0-9.]+"
  done
}

@test "bench limits: --json, on two ranks" {
  ranks 2 bench limits --threads 1 --seconds 0.01 --json
  assert_success
  assert_one_line "$out" '^\{.*"ranks":2,"limits":\[\{"threads":1,"multiply_add_gflops":\{"median":[0-9.]+,'
  assert_one_line "$out" '"operation_overhead_us":\{"median":[0-9.]+,'
}

@test "bench limits: impossible numbers of threads are refused (64)" {
  lockstep bench limits --threads 1,0
  assert_failed_with 64 "'1,0'"
}

@test "bench scaling: measures 1 and 2 ranks and writes three files" {
  needs_mpirun
  lockstep bench scaling --workload mlp-tiny --ranks 2,1 --seconds 0.2
  assert_success
  assert_line --regexp '^    1 +[0-9.]+ +[0-9]+ +1\.00 +100 % '
  assert_line --regexp '^    2 .* % '
  assert_line_count scaling-mlp-tiny/scaling.csv 3
  assert_one_line scaling-mlp-tiny/scaling.json '^\{.*"ranks":1,.*"ranks":2,.*\}$'
  assert_one_line scaling-mlp-tiny/scaling.svg '<polyline points="[0-9.,]+ [0-9.,]+"'
}

@test "bench scaling: repeats in rounds, fits a law, and writes a trace of all ranks" {
  needs_mpirun
  lockstep bench scaling --workload mlp-tiny --ranks 1,2,3 --strong --seconds 0.1 --repeat 2 --trace
  assert_success
  assert_line "round 2 of 2"
  assert_line --regexp '^    3 .* [0-9]+%[*]?$'
  assert_line --regexp "^Amdahl's law fits a serial fraction of [0-9.]+ %"
  assert_line_count scaling-mlp-tiny/scaling.csv 4
  assert_one_line scaling-mlp-tiny/scaling.json '"repetitions":2,.*"host":"[^"]+","date":"[0-9T:Z-]+","mpi":"[^"]+"'
  assert_equal "$(grep -o '"peer":"lockstep"' scaling-mlp-tiny/scaling.json | wc -l)" 9
  local ranks
  for ranks in 1 2 3; do
    assert_equal "$(grep -o '"process_name"' "scaling-mlp-tiny/trace-$ranks.json" | wc -l)" "$ranks"
  done
}

@test "bench scaling: the parts of a step add up to it" {
  lockstep bench scaling --workload mlp-tiny --ranks 1 --seconds 0.2
  assert_success
  run awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    { sum = $column["compute_ms"] + $column["waiting_ms"] + $column["exposed_communication_ms"] \
        + $column["update_ms"] + $column["other_ms"]
      difference = sum - $column["median_ms"]
      exit !(difference < 0.001 && difference > -0.001) }' scaling-mlp-tiny/scaling.csv
  assert_success
}

@test "bench scaling: a launcher that fails is an error, and keeps what was measured (78)" {
  lockstep bench scaling --workload mlp-tiny --ranks 1,2 --seconds 0.2 --launcher false \
    --output failed
  assert_failed_with 78 "2 ranks: 'false' failed with exit code 1"
  assert_line_count failed/scaling.csv 2
}

@test "bench scaling: a missing launcher is refused (64)" {
  lockstep bench scaling --workload mlp-tiny --ranks 2 --launcher nowhere
  assert_failed_with 64 "'nowhere'"
}

@test "bench scaling: refuses to run under mpirun, once (64)" {
  ranks 2 bench scaling --workload mlp-tiny
  assert_failed_with 64 'without mpirun'
}

@test "bench scaling: TERM ends it and the ranks that it started (143)" {
  needs_mpirun
  begin nothing "$lockstep" bench scaling --workload mlp --ranks 2 --seconds 60
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    if [[ $(processes | wc -l) == 3 ]]; then break; fi
    sleep 0.02
  done
  assert_equal "$(processes | wc -l)" 3
  kill -TERM "$job"
  finish 10
  assert_equal "$status" 143
  assert_no_process_is_left
}
