#!/usr/bin/env bash
# Build the image from the working tree: wheels first, then `docker build` over them, this Dockerfile and nothing else.
#
#   deploy/image/build-image.sh [--base IMAGE] [--packages "a b c"] TAG
#
# --base replaces debian:bookworm-slim, --packages what the image has beside jilog. Without --base, and where no
# registry is reached, a base is made of this machine's own packages (make-base-image.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

base=
arguments=()
tag=
while [ $# -gt 0 ]; do
  case $1 in
    --base) base=${2:?}; shift 2 ;;
    --packages) arguments+=(--build-arg "PACKAGES=${2:?}"); shift 2 ;;
    -*) echo "build-image: error: no such option: $1" >&2; exit 2 ;;
    *) tag=$1; shift ;;
  esac
done
[ -n "$tag" ] || { echo "build-image: error: no tag given" >&2; exit 2; }

have() { docker image inspect "$1" >/dev/null 2>&1 || docker pull --quiet "$1" >/dev/null 2>&1; }

if [ -z "$base" ]; then
  base=debian:bookworm-slim
  have "$base" || base=$("$here/make-base-image.sh" --packages "python3 python3-venv ca-certificates git" jilog-base:local)
elif ! have "$base"; then
  echo "build-image: error: there is no image $base, and it cannot be pulled" >&2
  echo "build-image: hint: leave --base away to have one made, or see deploy/image/make-base-image.sh" >&2
  exit 3
fi

context=$(mktemp -d "${TMPDIR:-/tmp}/jilog-image.XXXXXX")
trap 'rm -rf "$context"' EXIT
# The wheels have to fit the image's Python; an image without one gets that of Debian's bookworm.
python_version=$(docker run --rm --entrypoint python3 "$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 3.11)
"$here/make-wheelhouse.sh" --python "$python_version" "$context/wheelhouse"
cp "$here/Dockerfile" "$here/jilog-entry" "$context/"
docker build --quiet --build-arg "BASE_IMAGE=$base" "${arguments[@]}" --tag "$tag" "$context" >/dev/null
# The first builder leaves the stage with the wheels behind, untagged; today's are the cache of the next build.
docker image prune --force --filter label=jilog.stage=build --filter until=24h >/dev/null
echo "$tag"
