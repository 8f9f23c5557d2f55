#!/usr/bin/env bats
# Reports in a real browser: Chromium without a window.
# shellcheck disable=SC2154 # lockstep.bash sets the variables.

load ../EndToEnd/lockstep

# Opens a page, and sets `output` to the document after its scripts have run. What the page reports goes to
# `console`, the addresses that it requests to `requests`, the picture to `NAME.png`.
browse() { # browse NAME URL WIDTH HEIGHT [OPTION...]
  local browser program=
  for browser in chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null && program=$browser && break
  done
  [[ -n $program ]] || skip "there is no Chromium"
  timeout 60 "$program" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
    --disable-background-networking --disable-component-update --no-first-run \
    --user-data-dir="$BATS_TEST_TMPDIR/browser" --enable-logging=stderr --log-net-log="$PWD/net.json" \
    --window-size="$3,$4" --screenshot="$PWD/$1.png" "${@:5}" "$2" >"$out" 2>browser.log 3>&- ||
    skip "Chromium does not run here"
  grep ':CONSOLE' browser.log >console || true
  # What the browser itself asks for, such as updates, has no initiator.
  grep '"initiator":' net.json | grep -v '"initiator":"not an origin"' |
    grep -oE '"url":"[^"]*"' >requests || true
}

assert_silent_and_offline() {
  assert_equal "$(<console)" ""
  assert_equal "$(<requests)" ""
}

# A picture with something on it takes more bytes than that of an empty page of the same size.
assert_not_blank() { # assert_not_blank NAME WIDTH HEIGHT
  local blank
  echo '<!DOCTYPE html><title>-</title>' >blank.html
  browse blank "file://$PWD/blank.html" "$2" "$3"
  blank=$(wc -c <blank.png)
  (($(wc -c <"$1.png") > 4 * blank)) || fail "$1.png shows nothing"
}

@test "report in Chromium: is drawn at two widths, light and dark, without errors and requests" {
  copy_trained_run
  lockstep report trained
  assert_success
  local width scheme
  for width in 500 1280; do
    for scheme in 0 1; do
      browse "page-$width-$scheme" "file://$PWD/trained/report.html" "$width" 1500 \
        --blink-settings=preferredColorScheme=$scheme
      assert_silent_and_offline
    done
    assert_not_blank "page-$width-0" "$width" 1500
    # Dark and light are two pictures.
    refute cmp -s "page-$width-0.png" "page-$width-1.png"
  done
}

@test "report in Chromium: a request and an error would be noticed" {
  echo '<!DOCTYPE html><img src="http://127.0.0.1:9/a.png"><script>nothing()</script>' >page.html
  browse page "file://$PWD/page.html" 500 500
  assert_file_contains requests '127.0.0.1:9/a.png'
  assert_file_contains console 'nothing is not defined'
}

@test "report in Chromium: no part is wider than a narrow page" {
  copy_trained_run
  lockstep report trained
  sed 's|</body>|<script>document.title = document.documentElement.scrollWidth <= innerWidth ? "fits" : "too wide"</script></body>|' \
    trained/report.html >page.html
  browse page "file://$PWD/page.html" 500 1000 --dump-dom
  assert_file_contains "$out" '<title>fits</title>'
}

@test "report in Chromium: the pointer over a chart shows its values" {
  copy_trained_run
  lockstep report trained --no-model
  cat >script.html <<'SCRIPT'
<script>
  const box = document.querySelector("svg[data-from]").getBoundingClientRect();
  document.querySelector("svg[data-from]").dispatchEvent(new PointerEvent("pointermove",
    {bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + 9}));
  document.title = document.querySelector(".tip").textContent.replace(/\n/g, " | ");
</script></body>
SCRIPT
  sed -e '/<\/body>/{r script.html' -e 'd}' trained/report.html >page.html
  browse page "file://$PWD/page.html" 1280 1000 --dump-dom
  assert_equal "$(<console)" ""
  grep -Eq '<title>step [0-9]+ \| training  0\.[0-9]+ \| validation  0\.[0-9]+</title>' "$out" ||
    fail "the tip is $(grep -o '<title>.*</title>' "$out")"
}

@test "watch in Chromium: the list and a run are drawn without errors" {
  copy_trained_run
  mkdir runs && mv trained runs/a
  launched=("$lockstep" watch --port 0)
  "${launched[@]}" </dev/null >served 2>"$err" 3>&- &
  job=$!
  local tries address
  for ((tries = 0; tries < 100; tries++)); do
    address=$(sed -n 's/^watch  //p' served)
    [[ -n $address ]] && break
    sleep 0.1
  done
  local page
  for page in "" run/a; do
    browse page "$address$page" 1280 1200
    assert_equal "$(<console)" ""
    # Nothing but what this server has.
    refute grep -vF "\"url\":\"$address" requests
    assert_not_blank page 1280 1200
  done
  kill "$job"
  finish 5
}
