#!/usr/bin/env bash
# Makes fuzz/corpus from what was found: no file that reaches nothing new, and of the rest those that reach the most for their
# size.
#
#     fuzz/minimise.sh [KILOBYTES [TARGET...]]     120 kB each at most, all targets, by default
#
# Needs cargo-fuzz, a nightly toolchain, and Python 3.
set -euo pipefail
cd "$(dirname "$0")"
most=${1:-120}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)

cargo +nightly fuzz build --release --features libfuzzer --target-dir ../target/fuzzing
for target in "${targets[@]}"; do
    program=$(echo ../target/fuzzing/*/release/"$target")
    work=$(mktemp -d)
    mkdir "$work/merged" "$work/kept" "corpus/$target" 2> /dev/null || true
    ASAN_OPTIONS=detect_odr_violation=0 "$program" -merge=1 -merge_control_file="$work/control" \
        "$work/merged" "runs/$target" "corpus/$target" > "$work/log" 2>&1
    python3 cap.py "$work/control" "$work/kept" "$most" | sed "s/^/$target: /"
    rm -rf "corpus/$target"
    mv "$work/kept" "corpus/$target"
    rm -rf "$work"
done
du -sh --apparent-size corpus
