# shellcheck shell=bash
# The documentation as a web site that needs no server.

# Copies the articles. They link to each other's files, for the repository's web page and editors; docc
# wants names.
copy_catalog() { # copy_catalog FROM TO
  local article
  cp -r "$1" "$2"
  for article in "$2"/*.md; do
    sed 's/](\([a-z-]*\)\.md)/](doc:\1)/g' "$1/${article##*/}" >"$article"
  done
}

# Makes the pages of docc work from a folder: with relative addresses, and with scripts in place of the
# files that they would fetch (see local-site.js).
make_site_local() { # make_site_local SITE
  local file folders up
  shopt -s globstar nullglob
  mkdir -p "$1/js"
  cp "${BASH_SOURCE[0]%/*}/local-site.js" "$1/js"
  for file in "$1"/documentation/**/index.html; do
    folders=${file#"$1"/}
    folders=${folders%index.html}
    up=${folders//[^\/]/}
    up=${up//\//../}
    sed -e "s,\(href\|src\)=\"/,\1=\"$up,g" \
      -e "s,var baseUrl = \"/\",var baseUrl = new URL(\"$up\"\, location.href).pathname," \
      -e "s,<script defer,<script src=\"${up}js/local-site.js\"></script>&," "$file" >"$file.new"
    mv "$file.new" "$file"
  done
  for file in "$1"/{data,index}/**/*.json "$1"/*.json; do
    printf 'localFile(%s)\n' "$(<"$file")" >"$file.js"
  done
  cat >"$1/index.html" <<'HTML'
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=documentation/lockstep/index.html">
<title>Lockstep</title>
<p><a href="documentation/lockstep/index.html">Lockstep</a></p>
HTML
}
