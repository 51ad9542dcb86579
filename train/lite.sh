#!/usr/bin/env bash
# Makes the default model, models/lite.onnx: train/lite.sh OUT [--speech DIR ...]
#
# Builds the corpus (train/corpus/README.md), trains on from train/begin, calibrates on the development list, exports, and evaluates
# on the test lists. Each step goes on where it was stopped. Less than four hours on two cores.
# The shipped model was given LibriSpeech recordings of 191 voices with --speech.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,6p' "$0"; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
corpus=$out/corpus
# A step of training frees and takes the same gigabytes again; glibc gives them back to the system in between, which costs
# a seventh of the speed.
export MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_TOP_PAD_=100000000
# The two halves of a batch would wait for each other in candle's own threads.
export CANDLE_NUM_THREADS=1

"$here/corpus/build.sh" "$corpus" "$@"

cd "$here/.."
cargo build --release --package bonafide-train --package bonafide-export
cargo build --release --example evaluate
evaluate=target/release/examples/evaluate
export=target/release/bonafide-export

# The two networks of the model before (train/begin), beside one another, trained on together: what is scored is what is trained.
# Three in five windows are calls. Two seconds of each window take less than half the time of four. Most text to speech comes out
# of rooms or noise, and weighs half: nothing weighs against a studio that only machines were recorded in.
target/release/bonafide-train scratch --from train/begin --train "$corpus/train_coded.tsv" --dev "$corpus/dev.tsv" \
    --noise "$corpus/augment/noise" --rooms "$corpus/augment/rir" --crop 2 --calls 0.6 --lone-speakers 0.5 --best loss \
    --epochs 7 --learning-rate 8e-4 --seed 48 --out "$out/run"
# What is forgotten on the way is mostly kept between its ends: the mean is better than either on the development list.
target/release/bonafide-train average train/begin "$out/run/best" --weight 0.7 --out "$out/mean"

score() { # MODEL LIST: a run that exists is gone on with
    "$evaluate" run --dataset list --root "$corpus/$2.tsv" --model "$1" --out "$out/scores/$(basename "$1" .onnx)-$2" --resume
}

"$export" "$out/mean" "$out/raw.onnx"
score "$out/raw.onnx" dev
calibration=$("$evaluate" calibrate "$out/scores/raw-dev/scores.txt" | sed -n 's/.*--calibration //p')
"$export" "$out/mean" "$out/lite.onnx" --calibration "$calibration"
for list in test test_telephone test_codec; do
    score "$out/lite.onnx" "$list"
done
"$corpus/venv/bin/python" "$here/card.py" "$evaluate" "$out/scores" >"$out/lite.json"
echo "models/lite.onnx and lite.json can be replaced by those in $out; tests/model_card.rs then says what the card's tables are"
echo "(figures on other recordings, such as the card's research clips, join lite.json from a run of evaluate in $out/scores/lite-vocoders)"
