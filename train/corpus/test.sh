#!/usr/bin/env bash
# The tests of the corpus's programs: train/corpus/test.sh
#
# Needs python3 with pip. The packages, as `requirements.txt` pins them, go to target/corpus-tests; the voices are not needed.
set -euo pipefail
cd "$(dirname "$0")"

packages=$(cd ../.. && mkdir -p "${CARGO_TARGET_DIR:-target}/corpus-tests" && cd "${CARGO_TARGET_DIR:-target}/corpus-tests" && pwd)
mapfile -t wanted < <(grep -E '^(numpy|onnx|onnxruntime|scipy|soundfile|soxr)==' requirements.txt)
if [ "$(cat "$packages/installed" 2>/dev/null)" != "${wanted[*]}" ]; then
    python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action ignore \
        --upgrade --target "$packages" "${wanted[@]}"
    echo "${wanted[*]}" >"$packages/installed"
fi
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$packages python3 -m unittest discover -p '*_test.py'
