#!/usr/bin/env bats
# launch/new; Tests/OwnProgram builds what it makes.

load sandbox

@test "new: makes a package that depends on this checkout" {
  launch new "my models/spirals"
  assert_success
  assert_output --partial "swift build -c release"
  cd "my models/spirals"
  run cat Package.swift Sources/spirals/main.swift config.yaml README.md .gitignore
  assert_line --partial ".package(path: \"$PROJECT\")"
  assert_line --partial 'package: "project"'
  assert_line 'name: spirals'
  refute_output --partial @
  assert_line .build/
}

@test "new: leaves a folder alone that is there" {
  mkdir spirals
  launch new spirals
  assert_failure 73
  assert_output --partial "'spirals' is there already"
  assert_equal "$(ls -A spirals)" ""
}

@test "new: refuses names that cannot be those of a package" {
  local name
  for name in two-words 1st 'a b' '"' Lockstep; do
    launch new "$name"
    assert_failure 64
    assert_output --partial "'$name'"
  done
  launch new
  assert_failure 64
}
