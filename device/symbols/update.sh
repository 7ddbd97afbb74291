#!/bin/bash
# Remakes the list of the symbols of namespace xrt that AMD's libxrt_coreutil exports:
#   device/symbols/update.sh [PACKAGE.deb | LIBRARY.so]
# Without an argument it fetches the pinned package with apt's own downloader.  It is only unpacked.
set -euo pipefail

readonly NAME='libxrt2_2.25.0-4~bpo13+1_amd64.deb'
readonly SHA256=1d85e8c4f0445392e2a7b03388da95aea3fe89e69d1105a34e656d2f17f442f6

die() {
  echo "$*" >&2
  exit 1
}

# The archives that apt is configured with, Debian's own first.
archives() {
  {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian'
    apt-get update --print-uris | sed -n "s#^'\(.*/\)dists/.*#\1#p"
  } 2>/dev/null | awk '!seen[$0]++'
}

fetch() {
  local archive
  for archive in $(archives); do
    if /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=1 \
      download-file "${archive}pool/main/x/xrt/$NAME" "$work/$NAME" "SHA256:$SHA256" \
      >"$work/log" 2>&1; then
      echo "$work/$NAME"
      return
    fi
  done
  die "none of the archives in apt's sources gave $NAME"
}

main() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  local library=${1:-}
  [[ -n $library ]] || library=$(fetch)
  if [[ $library == *.deb ]]; then
    dpkg-deb -x "$library" "$work/package"
    library=$(find "$work/package" -name 'libxrt_coreutil.so.2' | head -n 1)
    [[ -n $library ]] || die 'the package has no libxrt_coreutil.so.2'
  fi
  # Functions, virtual tables and type information.
  nm --dynamic --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' |
    { grep -E '^_Z(N|NK|TI|TS|TV)(N)?K?3xrt' || die "$library exports nothing of namespace xrt"; } |
    LC_ALL=C sort -u >"$work/symbols"
  mv "$work/symbols" "$(dirname "$(readlink -f "$0")")/xrt_coreutil.txt"
}

main "$@"
