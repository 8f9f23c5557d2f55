#!/usr/bin/env bats
# A user's own tables: what the article "Your own data" promises.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

# A table of 60 flowers of three species, sorted by species, with a text, semicolons and decimal commas.
write_flowers() { # write_flowers FILE
  awk 'BEGIN {
    print "petal;colour;sepal;species"
    split("setosa versicolor virginica", names, " ")
    split("red blue white", colours, " ")
    for (i = 0; i < 60; i++) {
      c = int(i / 20)
      row = sprintf("%.1f;%s;%.1f;%s", 1 + 2 * c + i % 5 / 10, colours[i % 3 + 1], 5 + c + i % 7 / 10, names[c + 1])
      gsub(/\./, ",", row)
      print row
    }
  }' >"$1"
}

# Prices of 200 houses, some without an area.
write_houses() { # write_houses FILE
  awk 'BEGIN {
    print "rooms,area,city,price"
    split("Bern Graz Ulm", cities, " ")
    for (i = 0; i < 200; i++)
      print i % 6 + 1 "," (i % 37 ? i % 90 + 20 : "") "," cities[i % 3 + 1] "," 20000 + i % 6 * 5000 + i % 90 * 300 + i % 3 * 4000
  }' >"$1"
}

small=(--set training.epochs=20 --set training.globalBatch=10 --set optimizer.learningRate=0.1)

@test "own data: texts are classes and categories, which the checkpoint keeps" {
  write_flowers flowers.csv
  lockstep train --set data.kind=csv --set data.path=flowers.csv "${small[@]}" --run-dir run
  assert_success
  assert_line --regexp '^data   csv · 54 training, 6 validation samples · global batch 10$'
  assert_line 'task   3 classes: setosa (18), versicolor (18), virginica (18) · from 5 features'
  assert_line --regexp '^done .* validation accuracy 100.00 %( |$)'
  printf 'sepal,note,petal,colour\n7.2,x,5.3,blue\n5.1,y,1.2,red\n' >new.csv
  lockstep predict run new.csv
  assert_success
  assert_line --regexp $'^new.csv\t0\tvirginica\t[01]\\.[0-9]{4}$'
  assert_line --regexp $'^new.csv\t1\tsetosa\t[01]\\.[0-9]{4}$'
  lockstep predict run new.csv --json
  assert_line --regexp '^\{"file":"new.csv","sample":0,"class":2,"name":"virginica","probabilities":'
  # The same file is evaluated with the columns and classes of the training.
  head -n 30 flowers.csv >some.csv
  lockstep eval run --set data.path=some.csv --set data.validation=0 --split train
  assert_success
  assert_line --regexp '^samples +29 \(train\)$'
  assert_line --regexp '^accuracy +100'
}

@test "own data: predictions of values have their own unit" {
  write_houses houses.csv
  lockstep train --set data.kind=csv --set data.path=houses.csv --run-dir run
  assert_failed_with 65 'houses.csv: row 2, column 2: no value: complete it, or set .missing. to drop'
  lockstep train --set data.kind=csv --set data.path=houses.csv --set data.missing=median \
    --set training.epochs=60 --set training.globalBatch=10 --run-dir run
  assert_success
  assert_line --regexp '^task   1 value: mean [0-9.]+, standard deviation [0-9.]+ · from 5 features$'
  printf 'rooms,area,city\n3,60,Ulm\n' >new.csv
  lockstep predict run new.csv
  assert_success
  # 20000 + 2 x 5000 + 40 x 300 + 2 x 4000 = 50000
  awk -F '\t' '{ exit !($3 > 46000 && $3 < 54000) }' "$out"
  lockstep eval run
  assert_line --regexp '^RMSE +[0-9.]+$'
  lockstep eval run --json
  assert_line --regexp '"rootMeanSquaredError":[0-9.]+,'
}

@test "own data: two ranks train on a table as one does" {
  write_flowers flowers.csv
  local run=(train --set data.kind=csv --set data.path=flowers.csv "${small[@]}"
    --set training.classBalance=loss)
  lockstep "${run[@]}" --run-dir one
  assert_success
  ranks 2 "${run[@]}" --run-dir two
  assert_success
  assert_same_losses one two
}

@test "own data: a class that is missing in a set is a warning" {
  write_flowers flowers.csv
  lockstep train --set data.kind=csv --set data.path=flowers.csv --set data.split=last \
    --set data.validation=0.3 --set training.epochs=1 --run-dir run
  assert_success
  assert_stderr_fits '^warning: no (training|validation) sample has the class(es)? '
}

@test "own data: an unknown class or category at prediction names row and value (65)" {
  write_flowers flowers.csv
  lockstep train --set data.kind=csv --set data.path=flowers.csv "${small[@]}" --run-dir run
  assert_success
  printf 'petal,colour,sepal\n1,pink,5\n' >new.csv
  lockstep predict run new.csv
  assert_failed_with 65 "new.csv: row 2, column 2: 'pink' is none of the categories that the model knows"
  printf 'petal,colour,sepal,species\n1,red,5,rosa\n' >other.csv
  lockstep eval run --set data.path=other.csv --set data.validation=0 --split train
  assert_failed_with 65 "other.csv: row 2: the class 'rosa' is unknown; known: setosa, versicolor, virginica"
}

@test "own data: a former name of a setting is accepted with a warning, and does what it did" {
  write_flowers flowers.csv
  lockstep train --set data.kind=csv --set data.path=flowers.csv --set data.testCount=10 \
    --set training.epochs=1 --run-dir run
  assert_success
  assert_one_line "$err" "'data.testCount' is now named 'data.validation'"
  assert_one_line run/config.yaml '  split: last'
}

@test "data check: reads all samples, and tells what is wrong" {
  write_flowers flowers.csv
  lockstep data check --set data.kind=csv --set data.path=flowers.csv
  assert_success
  assert_line 'targets     3 classes: setosa (18), versicolor (18), virginica (18)'
  assert_line 'all samples can be read'
  head -n 20 flowers.csv >twice.csv
  tail -n 19 twice.csv >>flowers.csv
  lockstep data check --set data.kind=csv --set data.path=flowers.csv
  assert_success
  assert_one_line "$err" 'of the validation samples (is|are) also in the train samples'
  printf '1;2\n' >>flowers.csv
  lockstep data check --set data.kind=csv --set data.path=flowers.csv
  assert_failed_with 65 'flowers.csv: row 81, column 2: the row ends after 2 of 4 columns'
}
