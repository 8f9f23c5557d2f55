#!/usr/bin/env bats
# Ranks that are stopped or killed, and resume.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "faults: ranks that were stopped and killed resume to the weights of a run that was not" {
  local run=("${slow[@]}" --set "model.hidden=[512, 256]" --max-steps 460)
  ranks 2 "${run[@]}" --run-dir whole
  assert_success
  assert_logs_every_step whole 460

  # USR1 to mpirun stops all ranks with a checkpoint.
  local broken=("${mpirun[@]}" 2 "$lockstep" "${run[@]}" --run-dir broken)
  begin broken "${broken[@]}"
  wait_for_steps broken 30
  kill -USR1 "$job"
  finish 30
  assert_equal "$status" 75
  assert_no_process_is_left

  # A killed rank ends the job within 10 s.
  begin broken "${broken[@]}"
  wait_for_steps broken 40
  local process rank_zero
  rank_zero=$(holder broken)
  for process in $(processes); do
    if [[ $process != "$rank_zero" ]]; then kill -KILL "$process"; fi
  done
  finish 10
  assert [ "$status" -gt 0 ]
  assert_no_process_is_left

  # A killed mpirun leaves no rank behind.
  begin broken "${broken[@]}"
  wait_for_steps broken 20
  kill -KILL "$job"
  finish 10
  assert_no_process_is_left

  # On as many ranks it resumes to the same bits, on 3 to the same losses but for rounding.
  cp -r broken broken3
  ranks 2 "${run[@]}" --run-dir broken
  assert_success
  assert_line --regexp '^resuming after step'
  assert_same_weights whole broken
  assert_logs_every_step broken 460
  ranks 3 "${run[@]}" --run-dir broken3
  assert_success
  assert_line --regexp '^resuming after step'
  assert_same_losses whole broken3
}

@test "faults: steps with a loss that is not finite are left out and counted, or end the run (80)" {
  # The square of the target of sample 5 of 40 is infinite in float32.
  awk 'BEGIN { for (i = 0; i < 40; i++) print i % 7 "," i % 5 "," (i == 5 ? 1e30 : i % 3) ".5" }' |
    sed 's/1e+30.5/1e30/' >samples.csv
  local run=(train --set data.kind=csv --set data.path=samples.csv --set data.validation=0
    --set data.target=values --set data.standardizeTargets=false --set optimizer.learningRate=0.001
    --set training.globalBatch=8 --set training.epochs=4 --set "model.hidden=[8]")
  lockstep "${run[@]}" --run-dir stopped
  assert_failed_with 80 'first seen on rank 0 on [^ ]+, samples [0-9]+ to [0-9]+: the weights are finite;'
  local count
  for count in 1 2; do
    launch "${mpirun[@]}" "$count" "$lockstep" "${run[@]}" --set training.onNonFinite=skip \
      --run-dir "skipped$count"
    assert_success
    assert_stderr_fits '^warning: step [0-9]+ was left out: the loss became '
    # Once in each epoch.
    assert_one_line "skipped$count/metrics.jsonl" '"step":20,.*"skippedSteps":4'
    assert_logs_every_step "skipped$count" 20
  done
}

@test "faults: a run that returns to checkpoints is killed and resumes to the same bits" {
  # The square of the target of sample 205 of 1600 is infinite in float32.
  awk 'BEGIN { for (i = 0; i < 1600; i++) print i % 7 "," i % 5 "," (i == 205 ? "1e30" : i % 3 ".5") }' \
    >samples.csv
  local run=(train --set data.kind=csv --set data.path=samples.csv --set data.validation=0
    --set data.target=values --set data.standardizeTargets=false --set optimizer.learningRate=0.001 --set checkpoint.everySteps=40
    --set training.globalBatch=8 --set training.epochs=3 --set "model.hidden=[1024, 768]"
    --set distributed.threadsPerRank=1 --set training.onNonFinite=rollback)
  local count whole broken pattern
  pattern='^warning: the loss became .* at step [0-9]+ .*; returned to the checkpoint of step [0-9]+, leaving out step [0-9]+$'
  for count in 1 2; do
    whole=whole$count broken=broken$count
    ranks "$count" "${run[@]}" --run-dir "$whole"
    assert_success
    assert_stderr_fits "$pattern"
    # Once in each epoch.
    assert_equal "$(grep -c 'returned to the checkpoint' "$err")" 3
    assert_one_line "$whole/metrics.jsonl" '"step":600,.*"skippedSteps":3,"rollbacks":3'
    assert_logs_every_step "$whole" 600

    # Killed right after the first return, and then at some step, twice.
    begin "$broken" "${mpirun[@]}" "$count" "$lockstep" "${run[@]}" --run-dir "$broken"
    until grep -q 'returned to the checkpoint' "$err" || ! kill -0 "$job"; do sleep 0.01; done
    end_processes
    finish 10
    for _ in 1 2; do
      begin "$broken" "${mpirun[@]}" "$count" "$lockstep" "${run[@]}" --run-dir "$broken"
      wait_for_steps "$broken" 100
      end_processes
      finish 10
    done
    ranks "$count" "${run[@]}" --run-dir "$broken"
    assert_success
    assert_line --regexp '^resuming after step'
    assert_same_weights "$whole" "$broken"
    assert_one_line "$broken/metrics.jsonl" '"step":600,.*"skippedSteps":3,"rollbacks":3'
    assert_logs_every_step "$broken" 600
    diff <(losses "$whole") <(losses "$broken")
  done
}

@test "faults: a run that makes no progress after returning to its checkpoint ends (80)" {
  awk 'BEGIN { for (i = 0; i < 40; i++) print i % 7 "," i % 5 "," i % 3 ".5" }' >samples.csv
  lockstep train --set data.kind=csv --set data.path=samples.csv --set data.validation=0 \
    --set data.target=values --set data.standardizeTargets=false --set optimizer.learningRate=1e20 --set training.globalBatch=8 \
    --set training.epochs=10 --set "model.hidden=[8]" --set training.onNonFinite=rollback \
    --run-dir run
  assert_failed_with 80 'The run returned to a checkpoint [0-9]+ times before'
}
