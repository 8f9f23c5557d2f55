#!/usr/bin/env bats
# What a person sees on a terminal.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

escape=$'\033'

# Runs the command on a terminal of 80 columns; what it shows is the standard output.
on_terminal() { # on_terminal ARGUMENT...
  script -qec true /dev/null </dev/null >/dev/null 2>&1 ||
    skip "there is no 'script' of util-linux that works here"
  launch script -qec "stty cols 80; exec $(printf '%q ' "$lockstep" "$@")" /dev/null
}

@test "terminal: shows a progress bar, which leaves only a line per epoch" {
  on_terminal "${slow[@]}" --set training.epochs=10 --run-dir run
  assert_success
  assert_line --regexp '\[█+·+\]'
  assert_line --regexp '%  epoch 3/10  loss'
  # What follows a line's last erasure stays on the screen.
  sed "s/.*\r$escape\[2K//; s/\r$//" "$out" >screen
  refute grep -E '█|·· ' screen
  grep -Eq '^ +10 +80 ' screen
}

@test "terminal: --progress lines prints no escape codes" {
  on_terminal "${short[@]}" --progress lines --run-dir run
  assert_success
  refute_line --regexp "$escape"
}

@test "terminal: an error is red" {
  on_terminal train missing.yaml
  assert_failure 66
  assert_line --regexp "$escape\[1;31merror:$escape\[0m cannot"
}

@test "terminal: a dumb one gets lines without escape codes" {
  TERM=dumb on_terminal "${short[@]}" --run-dir run
  assert_success
  refute_line --regexp "$escape"
}
