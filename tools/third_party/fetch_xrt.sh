#!/bin/bash
# Prints the path of the Debian package that has XRT's public headers, fetching it when needed.
#
# The base system's XRT 2.13 has no xrt::hw_context, so the package is from the next release's
# backports.  It is only ever unpacked: installing it would pull a newer release's libraries in.
# On failure the last line of standard error is the reason.
set -euo pipefail

readonly NAME='libxrt-dev_2.25.0-4~bpo13+1_amd64.deb'
readonly SHA256=8765beec8a8448527b8b842a2a0d8f43f2349e5e8b738194c0909e1b078b5e13

die() {
  echo "$*" >&2
  exit 1
}

is_intact() {
  [[ -f $1 ]] && echo "$SHA256  $1" | sha256sum --status --check -
}

# The archives that apt is configured with, Debian's own first; there are no index files to ask
# before the first `apt-get update`.
archives() {
  {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian'
    apt-get update --print-uris | sed -n "s#^'\(.*/\)dists/.*#\1#p"
  } 2>/dev/null | awk '!seen[$0]++'
}

# Downloads as apt would: with its proxies, its certificates and its methods.
download() {
  /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=1 \
    -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 \
    download-file "$1" "$2" "SHA256:$SHA256" 2>&1 | tail -n 1 >&2
}

main() {
  if [[ -n ${XDNA_XRT_DEB:-} ]]; then
    [[ -f $XDNA_XRT_DEB ]] || die "XDNA_XRT_DEB=$XDNA_XRT_DEB: no such file"
    readlink -f "$XDNA_XRT_DEB"
    return
  fi
  [[ -n ${XDG_CACHE_HOME:-${HOME:-}} ]] || die 'neither XDG_CACHE_HOME nor HOME is set'
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/xdna-whisper-bench
  if is_intact "$cache/$NAME"; then
    echo "$cache/$NAME"
    return
  fi
  [[ -z ${XDNA_OFFLINE:-} ]] || die 'XDNA_OFFLINE is set and the package is not in the cache'
  [[ -x /usr/lib/apt/apt-helper ]] || die 'apt, which fetches the package, is not installed'

  mkdir -p "$cache" || die "cannot write to $cache"
  part=$(mktemp -d "$cache/xrt.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  local archive
  for archive in $(archives); do
    if download "${archive}pool/main/x/xrt/$NAME" "$part/$NAME" && is_intact "$part/$NAME"; then
      mv -f "$part/$NAME" "$cache/$NAME"
      echo "$cache/$NAME"
      return
    fi
  done
  die "none of the archives in apt's sources gave $NAME"
}

main
