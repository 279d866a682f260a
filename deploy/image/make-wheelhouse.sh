#!/usr/bin/env bash
# Make the wheels that an image installs: jilog's own, and its dependencies for the image's Python and architecture,
# which need not be this machine's.
#
#   deploy/image/make-wheelhouse.sh [--python 3.11] [--architecture x86_64]… FOLDER
#
# Several architectures may share one folder: pip takes what fits.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

python_version=3.11
architectures=()
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --python) python_version=${2:?}; shift 2 ;;
    --architecture) architectures+=("${2:?}"); shift 2 ;;
    -*) echo "make-wheelhouse: error: no such option: $1" >&2; exit 2 ;;
    *) folder=$1; shift ;;
  esac
done
[ -n "$folder" ] || { echo "make-wheelhouse: error: no folder given" >&2; exit 2; }
[ "${#architectures[@]}" -gt 0 ] || architectures=("$(uname -m | sed 's/^arm64$/aarch64/')")

pip=("${PYTHON:-python3}" -m pip --quiet --disable-pip-version-check)
rm -rf "$folder"
mkdir -p "$folder"
"${pip[@]}" wheel --no-deps --wheel-dir "$folder" "$here/../.."
own=$(echo "$folder"/jilog-*.whl)
for architecture in "${architectures[@]}"; do
  "${pip[@]}" download --only-binary=:all: --dest "$folder" --python-version "$python_version" --implementation cp \
    --platform "manylinux_2_28_$architecture" --platform "manylinux_2_17_$architecture" \
    --platform "manylinux2014_$architecture" "$own[fast]"
done
