#!/usr/bin/env bats
# Following a run: progress, metrics, attempts, the best checkpoint, evaluation in detail, sweeps.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep
load data

# MARK: Progress

@test "progress: within a long epoch a line comes every ten seconds" {
  lockstep train "$digits" --set 'model.hidden=[3000, 3000]' --set training.epochs=1000 \
    --set distributed.threadsPerRank=1 --set checkpoint.everySteps=100000 --run-dir run \
    --set training.evaluateEverySteps=100000 --max-time 20
  assert_failure 75
  assert_line --regexp '^ +step [0-9,]+ of 23,000 · loss [0-9.]+ · [0-9,]+ samples/s · .* left'
}

@test "progress: under mpirun on a terminal there is a bar" {
  script -qec true /dev/null </dev/null >/dev/null 2>&1 ||
    skip "there is no 'script' of util-linux that works here"
  launch script -qec "stty cols 80; exec $(printf '%q ' "${mpirun[@]}" 2 "$lockstep" \
    "${short[@]}" --run-dir run)" /dev/null
  assert_success
  assert_line --regexp '\[█*·+\] .*epoch [0-9]/6  loss .*samples/s'
  launch script -qec "stty cols 80; exec $(printf '%q ' "${mpirun[@]}" 2 --tag-output "$lockstep" \
    "${short[@]}" --run-dir tagged)" /dev/null
  assert_success
  refute_line --regexp '█'
}

@test "progress: the commands printed at the end can be pasted" {
  lockstep "${short[@]}" --run-dir "a run" --max-steps 20
  assert_success
  local resume
  resume=$(sed -n 's/^resume  *//p' "$out")
  launch bash -c "$resume"
  assert_success
  assert_line --regexp '^done in'
  local continue
  continue=$(sed -n 's/^continue  *//p' "$out")
  launch bash -c "$continue"
  assert_success
  assert_line --regexp 'steps  240'
}

# MARK: Records

@test "metrics: steps and epochs say when, how long, how much memory, and what was waited for" {
  ranks 2 "${short[@]}" --run-dir run
  assert_success
  run -0 grep -c '"kind":"step".*"gradientNorm":[0-9].*"dataWait":[0-9].*"communication":[0-9].*"time":1[0-9.]*,"elapsed":[0-9.]*,"memory":[0-9]*}$' run/metrics.jsonl
  assert_output 120
  run -0 grep -c '"kind":"epoch".*"phases":{"data":\[[0-9.e-]*,[0-9.e-]*\],"compute":' run/metrics.jsonl
  assert_output 6
}

@test "metrics: the elapsed time of a resumed run continues" {
  lockstep "${short[@]}" --run-dir run --max-steps 60
  lockstep "${short[@]}" --run-dir run
  assert_success
  run -0 bash -c "sed 's/.*\"elapsed\":\([0-9.]*\).*/\1/' run/metrics.jsonl | sort -g -c"
  run -0 grep -c '"event":"start"' run/attempts.jsonl
  assert_output 2
  assert_one_line run/attempts.jsonl '"event":"end",.*"step":60,"status":"stopped"'
  assert_one_line run/attempts.jsonl '"event":"end",.*"step":120,"status":"done"'
}

# MARK: The best checkpoint

@test "best: it is kept, and evaluated with --best; a run without improvement ends" {
  lockstep "${short[@]}" --set optimizer.learningRate=2 --set training.epochs=40 --run-dir run \
    --set checkpoint.keepBest=true --set training.stopAfterWithoutImprovement=3
  assert_success
  assert_line --regexp '^stopped early: no lower validation loss in'
  assert_equal "$(<run/STATUS)" "done"
  assert_line --regexp '^continue .* --run-dir run --set training.stopAfterWithoutImprovement=null$'
  local best
  best=$(<run/checkpoints/best)
  assert_dir_exists "run/checkpoints/$best"
  lockstep eval run --best
  assert_success
  assert_line "checkpoint  run/checkpoints/$best"
  lockstep "${short[@]}" --set optimizer.learningRate=2 --set training.epochs=40 --run-dir run \
    --set checkpoint.keepBest=true --set training.stopAfterWithoutImprovement=3
  assert_success
  assert_line --regexp 'already finished: the validation loss did not improve'
}

@test "best: a run without one is an error (66) that says how to keep it" {
  copy_trained_run
  lockstep eval trained --best
  assert_failed_with 66 'checkpoint.keepBest=true'
}

@test "eval: the folder of a name's runs stands for its newest run" {
  mkdir -p runs/digits
  copy_trained_run
  mv trained runs/digits/2026-11-01T00-00-00_0001
  cp -r runs/digits/2026-11-01T00-00-00_0001 runs/digits/2026-11-02T00-00-00_0001
  lockstep eval runs/digits
  assert_success
  assert_line --regexp '^checkpoint  runs/digits/2026-11-02T00-00-00_0001/checkpoints/'
}

# MARK: Evaluation and prediction in detail

@test "eval: --per-class prints scores and the confusion matrix, the same on 2 ranks" {
  copy_trained_run
  lockstep eval trained --per-class
  assert_success
  assert_line --regexp '^class +samples +precision +recall +F1$'
  assert_line --regexp '^mean F1 +0\.9'
  assert_line 'rows: the true class; columns: the predicted class'
  local expected=$output
  ranks 2 eval trained --per-class
  assert_success
  assert_equal "$output" "$expected"
  lockstep eval trained --per-class --json
  assert_line --regexp '"classes":\[\{"class":0,.*"confusion":\[\[[0-9]+,'
}

@test "eval: values have a mean absolute error and R2" {
  for i in {0..199}; do echo "$i,$((50000 + 300 * i))"; done >prices.csv
  lockstep train --set data.kind=csv --set data.path=prices.csv --set 'model.hidden=[16]' \
    --set training.epochs=60 --set training.globalBatch=20 --run-dir run
  assert_success
  assert_line --regexp '^done in .*validation RMSE [0-9.]+'
  lockstep eval run
  assert_line --regexp '^MAE +[0-9.]+ \(in the unit of the target\)$'
  assert_line --regexp '^R2 +(1\.0|0\.99)'
  lockstep eval run --per-class
  assert_failed_with 78 '--per-class needs a model that predicts one class'
}

@test "predict: --header and --probabilities name and print all classes; '-' is standard input" {
  copy_trained_run
  local row
  row=$(printf '0%.0s,' {1..63})0
  echo "$row" >zero.csv
  launch bash -c "'$lockstep' predict trained - --header --probabilities <zero.csv"
  assert_equal "${#lines[@]}" 2
  assert_equal "${lines[0]}" "$(printf 'file\tsample\tclass\tprobability\t0\t1\t2\t3\t4\t5\t6\t7\t8\t9')"
  assert_equal "$(awk -F '\t' 'NR == 2 { print $1, $2, NF }' "$out")" "- 0 14"
  local expected=${lines[1]#-}
  lockstep predict trained zero.csv --probabilities
  assert_equal "${output#zero.csv}" "$expected"
  lockstep predict trained - - --header
  assert_failed_with 64 'can be read once'
  lockstep predict trained zero.csv --json --header
  assert_failed_with 64 'leave out the other option'
}

@test "predict: standard input that is damaged is an error (65) that names it" {
  copy_trained_run
  echo 1,2,x >bad.csv
  launch bash -c "'$lockstep' predict trained - <bad.csv"
  assert_failed_with 65 'standard input'
}

# MARK: Dry run

@test "dry run: takes real steps, prints what they need, and leaves nothing" {
  ranks 2 train "$digits" --dry-run
  assert_success
  assert_line --regexp '^batch +32 samples on each of 2 ranks$'
  assert_line --regexp '^checkpoint +[0-9.]+ [kM]?B; up to 3 are kept, .* are free$'
  assert_line --regexp '^memory +[0-9.]+ MB'
  assert_line --regexp '^first loss +[0-9]\.[0-9]+$'
  assert_line --regexp '^step .* samples/s; all 1,380 steps would take about '
  assert_dir_not_exists runs
}

# MARK: Sweeps

@test "sweep: trains all combinations, prints the best first, and resumes" {
  lockstep sweep "$digits" --set training.epochs=2 --set optimizer.learningRate=0.001,0.5 \
    --set 'model.hidden=[16],[32, 16]' --dir sweep
  assert_success
  assert_line 'sweep  4 variants · sweep'
  assert_line --regexp '^ *1  0\.5 +\['
  assert_file_exists sweep/sweep.svg
  run -0 grep -c ',done,' sweep/sweep.csv
  assert_output 4
  lockstep sweep "$digits" --set training.epochs=2 --set optimizer.learningRate=0.001,0.5,1 \
    --set 'model.hidden=[16],[32, 16]' --dir sweep
  assert_success
  run -0 grep -c '(trained before)' "$out"
  assert_output 4
  lockstep sweep "$digits" --set training.epochs=3 --set optimizer.learningRate=0.001,0.5 \
    --set 'model.hidden=[16],[32, 16]' --dir sweep
  assert_failed_with 78 'has a sweep of another configuration'
}

@test "sweep: successive halving trains the best to the end" {
  lockstep sweep "$digits" --set training.epochs=9 --random 4 --halving --dir sweep \
    --set optimizer.learningRate=0.01..1
  assert_success
  assert_line 'round 3 of 3: 1 variant'
  run -0 grep -c ',done,' sweep/sweep.csv
  assert_output 1
}

@test "sweep: a variant that fails is in the table; a wrong value is found before the first" {
  lockstep sweep "$digits" --set training.epochs=1 --set optimizer.learningRate=0.1,1e30 --dir sweep
  assert_success
  assert_line --regexp 'failed \(80\): '
  lockstep sweep "$digits" --set optimizer.learningRate=0.1,-1 --dir other
  assert_failed_with 78 'optimizer.learningRate'
  assert_dir_not_exists other
  lockstep sweep "$digits" --set optimizer.learningRate=0.1
  assert_failed_with 64 'nothing varies'
}
