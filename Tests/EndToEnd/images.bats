#!/usr/bin/env bats
# Folders of images: train, resume, evaluate, predict, pack, preview.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

samples=$root/Tests/DataLoadingTests/Goldens/Images

# Writes a folder of two classes with 12 images each.
write_photos() { # write_photos FOLDER
  local i
  mkdir -p "$1/colors" "$1/grey"
  for i in {1..6}; do
    cp "$samples/colors.jpg" "$1/colors/$i.jpg"
    cp "$samples/sideways.jpg" "$1/colors/turned-$i.JPEG"
    cp "$samples/grey.png" "$1/grey/$i.png"
    cp "$samples/grey.jpg" "$1/grey/$i.jpg"
  done
}

photos=(train --set name=photos --set model.kind=mlp --set "model.hidden=[16]"
  --set data.kind=images --set data.path=photos --set data.imageSize=16
  --set data.normalize=standardizeChannels --set data.validation=4
  --set training.globalBatch=5 --set training.epochs=6)
augment="data.augment=[flip, resizedCrop 0.5, colorJitter 0.2, mixup 0.2, cutmix 1]"

@test "images: a model learns the classes of a folder, and predicts photos by name" {
  write_photos photos
  lockstep "${photos[@]}" --run-dir run
  assert_success
  assert_line --regexp '^data +images · 20 training, 4 validation'
  assert_line --regexp 'colors [(]10[)], grey [(]10[)]'
  assert_line --regexp 'validation accuracy 100'
  lockstep predict run photos/grey/1.png "$samples/colors.png"
  assert_success
  assert_line --regexp '^photos/grey/1.png.*grey.*(0\.[5-9]|1\.0)'
  assert_line --regexp 'colors.png.*colors.*(0\.[5-9]|1\.0)'
  lockstep eval run --split train
  assert_success
  assert_line --regexp '^samples +20'
}

@test "images: 2 ranks have the losses of one process, with all random changes" {
  write_photos photos
  lockstep "${photos[@]}" --set "$augment" --run-dir one
  assert_success
  ranks 2 "${photos[@]}" --set "$augment" --run-dir two
  assert_success
  assert_same_losses one two
  lockstep "${photos[@]}" --set "$augment" --set data.decodeThreads=3 --run-dir three
  assert_same_losses one three
}

@test "images: a stopped run resumes with the same random changes" {
  write_photos photos
  lockstep "${photos[@]}" --set "$augment" --run-dir whole
  lockstep "${photos[@]}" --set "$augment" --run-dir parts --max-steps 9
  lockstep "${photos[@]}" --set "$augment" --run-dir parts
  assert_success
  assert_same_losses whole parts
}

@test "images: random changes work for the digits, too" {
  lockstep train "$digits" --set training.epochs=1 --set "data.augment=[crop 1, mixup 0.2]" \
    --run-dir run
  assert_success
  lockstep train "$digits" --set "data.augment=[crop one]" --run-dir other
  assert_failed_with 78 "'data.augment' has 'crop one'"
}

@test "images: a broken one is one message with its name (65)" {
  write_photos photos
  head -c 700 "$samples/colors.jpg" >photos/colors/broken.jpg
  lockstep "${photos[@]}"
  assert_failed_with 65 'photos/colors/broken.jpg: damaged image'
  needs_mpirun
  ranks 2 "${photos[@]}"
  assert_failure 65
  assert_stderr_fits 'photos/colors/broken.jpg: damaged image'
}

@test "images: folders that cannot be used are errors" {
  lockstep "${photos[@]}"
  assert_failed_with 66 "'data.path' is 'photos'"
  mkdir photos
  lockstep "${photos[@]}"
  assert_failed_with 66 'has no folders'
  write_photos photos
  mkdir photos/empty
  lockstep "${photos[@]}"
  assert_failed_with 65 'photos/empty: no JPEG or PNG files'
}

@test "data pack: training from the file has the losses of the folder" {
  write_photos photos
  lockstep "${photos[@]}" --set data.resize=20 --run-dir folder
  lockstep data pack photos all.images --set data.imageSize=16 --set data.resize=20
  assert_success
  assert_line --partial 'all.images: 24 training'
  lockstep "${photos[@]}" --set data.resize=20 --set data.path=all.images --run-dir packed
  assert_success
  assert_same_losses folder packed
  head -c 5000 all.images >cut.images
  lockstep "${photos[@]}" --set data.path=cut.images
  assert_failed_with 65 'cut.images: .*pack the images again'
}

@test "data pack: a broken image leaves no file" {
  write_photos photos
  head -c 100 "$samples/colors.jpg" >photos/grey/broken.jpg
  lockstep data pack photos all.images
  assert_failed_with 65 'photos/grey/broken.jpg: damaged image'
  assert_equal "$(find . -name '*images*')" ''
}

@test "data preview: writes a sheet of images, and names their classes" {
  write_photos photos
  lockstep data preview "${photos[@]:1}" --set "$augment" --augmented --samples 6 \
    --output sheet.png
  assert_success
  assert_line --regexp '^0	.*colors.*3 x 16 x 16$'
  assert_equal "$(head -c 4 sheet.png | tail -c 3)" PNG
  # The sheet is an image that can be read.
  mkdir -p sheets/a
  mv sheet.png sheets/a
  lockstep data preview --set data.kind=images --set data.path=sheets --samples 1
  assert_success
}

@test "data preview: shows the rows of a table and the text of tokens" {
  printf 'a,b,kind\n1,2,x\n3,4,y\n1,5,x\n' >table.csv
  lockstep data preview --set data.kind=csv --set data.path=table.csv --set data.validation=0
  assert_success
  assert_line --regexp '^0	x	1 2$'
  printf 'hello %.0s' {1..20} >text.txt
  lockstep data preview --set model.kind=gpt --set data.kind=text --set data.path=text.txt \
    --set data.blockSize=5 --samples 2
  assert_success
  assert_line --regexp '^0	.*"hello"'
}

@test "bench data: prints how fast samples are read" {
  lockstep bench data --seconds 0.1
  assert_success
  assert_line --regexp '^[0-9.]+ samples/s, [0-9.]+ ms per sample$'
}
