#!/usr/bin/env bash
# Makes the default model, models/lite.onnx, from nothing: train/lite.sh OUT [--speech DIR ...]
#
# Builds the corpus (train/corpus/README.md), trains, calibrates on the development list, exports, and evaluates on the test
# lists. Each step goes on where it was stopped. About two hours for the corpus and five for the training on two cores.
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

# Two networks. The wide one hears all frequencies and is trained in rounds: each begins where the last ended, with a high
# learning rate again. The narrow one begins as what the wide one is up to 4 kHz, which is what a telephone lets through. Half of
# what they are trained on are calls, but in the first round. All hear two seconds of each window, which takes less than half the
# time of four. In the last two rounds, most text to speech comes out of rooms, and weighs half: before, a studio was a machine.
round() { # NAME EPOCHS RATE SEED, where to begin, and settings of its own
    name=$1 epochs=$2 rate=$3 seed=$4
    shift 4
    target/release/bonafide-train scratch "$@" --train "$corpus/train_coded.tsv" --dev "$corpus/dev.tsv" --noise "$corpus/augment/noise" \
        --rooms "$corpus/augment/rir" --crop 2 --best loss --epochs "$epochs" --learning-rate "$rate" --seed "$seed" --out "$out/$name"
}
round wide-1 7 1.5e-3 42 --config train/lite.json
round wide-2 7 1.2e-3 43 --from "$out/wide-1/best" --calls 0.5
round wide-3 7 1e-3 44 --from "$out/wide-2/best" --calls 0.5
round wide-4 4 1e-3 47 --from "$out/wide-3/best" --calls 0.5 --lone-speakers 0.5
target/release/bonafide-train narrow "$out/wide-4/best" --highest-hz 4000 --out "$out/narrow"
round narrow-1 6 1e-3 45 --from "$out/narrow" --calls 0.5 --lone-speakers 0.5
target/release/bonafide-train join "$out/wide-4/best" "$out/narrow-1/best" --out "$out/lite"

score() { # MODEL LIST: a run that exists is gone on with
    "$evaluate" run --dataset list --root "$corpus/$2.tsv" --model "$1" --out "$out/scores/$(basename "$1" .onnx)-$2" --resume
}

"$export" "$out/lite" "$out/raw.onnx"
score "$out/raw.onnx" dev
calibration=$("$evaluate" calibrate "$out/scores/raw-dev/scores.txt" | sed -n 's/.*--calibration //p')
"$export" "$out/lite" "$out/lite.onnx" --calibration "$calibration"
for list in test test_telephone test_codec; do
    score "$out/lite.onnx" "$list"
done
"$corpus/venv/bin/python" "$here/card.py" "$evaluate" "$out/scores" >"$out/lite.json"
echo "models/lite.onnx and lite.json can be replaced by those in $out; tests/model_card.rs then says what the card's tables are"
