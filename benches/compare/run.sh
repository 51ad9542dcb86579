#!/usr/bin/env bash
# Compares bonafide with what one would otherwise run, on the full-size model with random weights:
#
#   benches/compare/run.sh [ROUNDS]
#
# Needs Python 3.11, 5 GB of disk, and a quiet machine; PyTorch and the rest go into target/compare. What exists is used
# again. The table is printed, and kept with its figures in target/compare.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${CARGO_TARGET_DIR:-$PWD/target}/compare
mkdir -p "$out"
if [[ ! -x $out/venv/bin/python ]]; then
    python3 -m venv "$out/venv"
    "$out/venv/bin/pip" install --quiet --requirement benches/compare/requirements.txt
fi
[[ -f $out/torch.onnx ]] || "$out/venv/bin/python" tests/fixtures/full_size.py "$out"
ORT_DYLIB_PATH=$(scripts/onnxruntime.sh)
export ORT_DYLIB_PATH
cargo run --quiet --release --package bonafide-export -- "$out/stage2_best.pt" "$out/model.onnx"
cargo build --quiet --release --manifest-path benches/compare/Cargo.toml --target-dir "$out/build"
"$out/venv/bin/python" benches/compare/compare.py "$out" "$out/build/release/compare" --rounds "${1:-15}" | tee "$out/table.md"
