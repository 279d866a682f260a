#!/usr/bin/env bash
# Make a Debian base image without a container registry: from this machine's own apt sources, with mmdebstrap
# (or debootstrap), into the local Docker. Only needed where `docker pull` reaches nothing.
#
#   deploy/image/make-base-image.sh [--suite NAME] [--packages "a b c"] [--rebuild] IMAGE[:TAG]
#
# The file tree is kept under ${XDG_CACHE_HOME:-~/.cache}/jilog-images, by suite, packages and this script, so a
# second call only imports it. No host is named here: the lines come from apt, security updates included.
# Exit status: 2 wrong use, 3 no Docker daemon, 4 neither tool can make the tree.
set -euo pipefail

fail() { local status=$1; shift; printf 'make-base-image: error: %s\n' "$1" >&2; shift; printf 'make-base-image: hint: %s\n' "$@" >&2; exit "$status"; }

suite=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
packages="python3 python3-venv ca-certificates"
rebuild=
image=
while [ $# -gt 0 ]; do
  case $1 in
    --suite) suite=${2:?}; shift 2 ;;
    --packages) packages=${2:?}; shift 2 ;;
    --rebuild) rebuild=1; shift ;;
    -*) fail 2 "no such option: $1" "deploy/image/make-base-image.sh [--suite NAME] [--packages LIST] IMAGE" ;;
    *) image=$1; shift ;;
  esac
done
[ -n "$image" ] || fail 2 "no image name given" "deploy/image/make-base-image.sh jilog-base:local"
[ -n "$suite" ] || fail 2 "the suite of this machine is not known" "name one: --suite bookworm"
docker info >/dev/null 2>&1 || fail 3 "no Docker daemon answers" "docker info"
command -v apt-get >/dev/null || fail 4 "this machine has no apt to take packages from" "docker pull debian:bookworm-slim"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/jilog-images
mkdir -p "$cache"
key=$(printf '%s|%s|' "$suite" "$packages" | cat - "$0" | sha256sum | cut -c1-16)
tree=$cache/base-$suite-$key.tar
log=$cache/base-$suite-$key.log

# One maker at a time: others wait here and then find the tree made. The lock goes with the process.
exec 9>"$cache/base-$suite-$key.lock"
flock 9

source_lines() {
  local own
  # shellcheck disable=SC2016 # apt expands these
  own=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u)
  awk -v suite="$suite" '$3 ~ "^" suite "(-updates|-security)?$"' <<<"$own" | grep . ||
    awk -v suite="$suite" '$3 !~ /-/ && !seen++ { print $1, $2, suite, "main" }' <<<"$own"
}

# A tool that this machine lacks and may install is installed; a failure shows when it is needed.
want_tool() {
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] || return
  { apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } >>"$log" 2>&1
}

with_mmdebstrap() {
  want_tool mmdebstrap || return
  source_lines | mmdebstrap --variant=minbase --include="${packages// /,}" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*' \
    "$suite" - - >"$tree.part" 2>>"$log"
}

with_debootstrap() {
  want_tool debootstrap || return
  [ "$(id -u)" = 0 ] || return
  local root mirror
  root=$(mktemp -d "$cache/root.XXXXXX")
  mirror=$(source_lines | awk 'NR == 1 { print $2 }')
  debootstrap --variant=minbase --include="${packages// /,}" "$suite" "$root" "$mirror" >>"$log" 2>&1 &&
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/etc/ssh/ssh_host_* &&
    tar -C "$root" --numeric-owner --one-file-system -cf "$tree.part" .
  local status=$?
  rm -rf "$root"
  return $status
}

if [ -n "$rebuild" ] || [ ! -s "$tree" ]; then
  : >"$log"
  echo "making a base image of $suite with mmdebstrap or debootstrap; log: $log" >&2
  with_mmdebstrap || with_debootstrap || {
    tail -5 "$log" >&2
    fail 4 "neither mmdebstrap nor debootstrap could make the tree of $suite" "apt-get install mmdebstrap" "look into $log"
  }
  # Dying before this line leaves a .part that nobody reads and the next call overwrites.
  mv "$tree.part" "$tree"
fi

if [ -n "$rebuild" ] || [ "$(docker image inspect -f '{{ index .Config.Labels "jilog.base" }}' "$image" 2>/dev/null)" != "$key" ]; then
  docker import -c 'CMD ["bash"]' -c 'ENV LANG=C.UTF-8' -c "LABEL jilog.base=$key" "$tree" "$image" >/dev/null
fi
echo "$image"
