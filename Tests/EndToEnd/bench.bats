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
  local deadline=$((SECONDS + 60))
  until [[ $(processes | wc -l) == 3 ]]; do
    ((SECONDS <= deadline)) || fail "there are not 3 processes: $(processes)"
    sleep 0.02
  done
  kill -TERM "$job"
  finish 10
  assert_equal "$status" 143
  assert_no_process_is_left
}

@test "bench allreduce: compares shared memory with MPI on one node" {
  ranks 2 bench allreduce --sizes 1K,64K --seconds 0.01
  assert_success
  assert_line --regexp '^ +1024 +[0-9.]+ us +[0-9.]+ us +[0-9.]+$'
  assert_line --regexp '^ +65536 +[0-9.]+ us +[0-9.]+ us +[0-9.]+$'
}

@test "bench allreduce: sizes that are no floats are refused (64)" {
  lockstep bench allreduce --sizes 1K,7
  assert_failed_with 64 "'7'.*multiple of 4"
}

# A profile that was not measured, so that predictions can be checked: 10 ms of computation, and gradients of
# 1 MiB that are final at its end.
write_profile() { # write_profile FILE
  local timeline='"ranks":1,"gradients":[{"end":262144,"final":1}],"update_s":0.001'
  timeline+=',"agreement_bytes":0,"statistics_bytes":0'
  cat >"$1" <<EOF
{"profile":{"workload":"mlp-tiny","precision":"float32","threads":1,"sum_bytes_per_s":1e30,"timelines":[
{"batch":32,"compute_s":[0.01],$timeline},{"batch":1,"compute_s":[0.0025],$timeline}]}}
EOF
}

@test "bench predict: measures a workload, prints a table for weak and strong scaling, and writes three files" {
  lockstep bench predict --workload mlp-tiny --seconds 0.2 --network 50e-6,117e6
  assert_success
  assert_line --regexp '^weak scaling, .*: auto, 0\.5 MB'
  assert_line --regexp '^ 1024 +[0-9.]+ +[0-9.]+ % '
  assert_line --regexp '^strong scaling, '
  local line
  for line in "${lines[@]}"; do ((${#line} <= 80)); done
  # A batch of 32 samples is for up to 32 ranks: 10 and 5 numbers of nodes.
  assert_equal "$(grep -c '^ *[0-9]* .* %' "$out")" 15
  assert_one_line predict-mlp-tiny/predict.csv '^weak,2,2,32,.*,ring,0\.25,'
  assert_one_line predict-mlp-tiny/predict.json '^\{.*"predictions":.*"profile":.*\}$'
  assert_one_line predict-mlp-tiny/predict.svg '>weak scaling</text>'
}

@test "bench predict: the numbers are those of the network that is given" {
  write_profile predict.json
  # 10 ms of computation; two halves of a MiB at 2^20 bytes per second, and 10 ms before each; 1 ms of update.
  lockstep bench predict --workload mlp-tiny --profile predict.json --network 0.01,1048576 --nodes 2 \
    --weak --all-reduce ring --bucket-megabytes 0 --json
  assert_success
  assert_one_line "$out" '"configured":\{"algorithm":"ring","bucket_mb":0\.0,"step_ms":1031\.0,'
  # Three nodes take no algorithm by themselves that sends everything twice.
  lockstep bench predict --workload mlp-tiny --profile predict.json --network 0,1048576 --nodes 3 \
    --weak --bucket-megabytes 0 --json
  assert_success
  assert_one_line "$out" '"configured":\{"algorithm":"(direct|recursive-multiplying)","bucket_mb":0\.0,"step_ms":1344\.'
}

@test "bench predict: measured steps stand beside predicted ones" {
  write_profile predict.json
  cat >scaling.json <<'EOF'
{"workload":"mlp-tiny","scaling":"weak","measurements":[
{"ranks":2,"nodes":2,"median_ms":1000.0,"samples_per_s":62.0}]}
EOF
  lockstep bench predict --workload mlp-tiny --profile predict.json --network 0.01,1048576 --nodes 1,2 \
    --bucket-megabytes 0 --measured scaling.json
  assert_success
  assert_line --regexp '^nodes +step +measured +off by$'
  assert_line --regexp '^    2 +1031 +1000 +\+3\.1 %$'
  assert_one_line predict-mlp-tiny/predict.json '"measured_ms":1000\.0'
  assert_one_line predict-mlp-tiny/predict.svg 'weak scaling, dots: measured'
}

@test "bench predict: --smpi writes a trace for each number of nodes" {
  write_profile predict.json
  lockstep bench predict --workload mlp-tiny --profile predict.json --network 0.01,1e6 --nodes 2,4 \
    --weak --smpi traces
  assert_success
  assert_equal "$(cd traces && echo *)" "weak-2.trace weak-4.trace"
  assert_equal "$(grep -c ' finalize$' traces/weak-4.trace)" 8
  lockstep bench predict --workload mlp-tiny --profile predict.json --network 0.01,1e6 --nodes 3 \
    --weak --all-reduce recursive-halving-doubling --smpi traces
  assert_failed_with 64 '3 nodes do not all do the same'
}

@test "bench predict: options that cannot be are refused (64)" {
  lockstep bench predict --workload huge --network 1e-5,1e9
  assert_failed_with 64 "'huge'.*mlp"
  local network
  for network in fast 1e-5 1e-5,0 -1,1e9 1e-5,1e9,nan 1,2,3,4; do
    lockstep bench predict --workload mlp-tiny "--network=$network"
    assert_failed_with 64 "'$network'"
  done
  local nodes
  for nodes in 0 1,x 2,2 5000; do
    lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 "--nodes=$nodes"
    assert_failed_with 64 "distinct numbers .*'$nodes'"
  done
  lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 --all-reduce best
  assert_failed_with 64 "'best'.*ring"
  lockstep bench predict --workload mlp-tiny
  assert_failed_with 64 'needs ranks on two nodes'
}

@test "bench predict: files that are none are refused (65, 66)" {
  lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 --profile nowhere.json
  assert_failed_with 66 'nowhere\.json'
  echo '{}' >empty.json
  lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 --profile empty.json
  assert_failed_with 65 "empty\.json.*'profile' is missing"
  write_profile predict.json
  sed -i 's/"final":1/"final":7/' predict.json
  lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 --profile predict.json
  assert_failed_with 65 "predict\.json is damaged.*'final'"
  write_profile predict.json
  lockstep bench predict --workload mlp --network 1e-5,1e9 --profile predict.json
  assert_failed_with 64 "'mlp-tiny', not of 'mlp'"
  lockstep bench predict --workload mlp-tiny --network 1e-5,1e9 --profile predict.json \
    --measured empty.json
  assert_failed_with 65 'empty\.json is no scaling\.json'
}
