#!/usr/bin/env bats
# `lockstep graph`.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load lockstep

@test "graph: prints the graph of the loss in DOT" {
  lockstep graph "$digits"
  assert_success
  assert_one_line "$out" '^digraph \{$'
  assert_one_line "$out" '"1\.weight\\n\[128, 64\]", shape=ellipse'
  assert_one_line "$out" '"CrossEntropy\\n\[2\]"'
  assert_one_line "$out" '^\}$'
}

@test "graph: --output writes what is printed without it" {
  lockstep graph "$digits"
  cp "$out" graph.dot
  lockstep graph "$digits" --output whole.dot
  assert_success
  refute_output
  cmp graph.dot whole.dot
}

@test "graph: --set changes the model" {
  lockstep graph "$digits" --set 'model.hidden=[]' --set model.dropout=0
  assert_success
  assert_one_line "$out" '"Linear\\n'
  refute_line --regexp Dropout
}

@test "graph: 2 ranks print one graph" {
  lockstep graph "$digits"
  cp "$out" graph.dot
  ranks 2 graph "$digits"
  assert_success
  assert_one_line "$out" '^digraph '
  cmp "$out" graph.dot
}

@test "graph: an unknown model is refused (78)" {
  lockstep graph --set model.kind=lenett
  assert_failed_with 78 "model.kind.*lenett"
}

@test "graph: a missing configuration is an error (66)" {
  lockstep graph missing.yaml
  assert_failed_with 66 "'missing.yaml'"
}

@test "graph: a missing output folder is an error (73)" {
  lockstep graph "$digits" --output nowhere/graph.dot
  assert_failed_with 73 "'nowhere/"
}
