#!/usr/bin/env bash
# Makes fuzz/corpus from what was found: for each target the fewest files that reach what all of them do, and of these the
# smallest ones up to a size.
#
#     fuzz/minimise.sh [KILOBYTES [TARGET...]]     90 kB each, all targets, by default
set -euo pipefail
cd "$(dirname "$0")"
most=$((${1:-90} * 1000))
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)
build=(--release --features libfuzzer --target-dir ../target/fuzzing)

for target in "${targets[@]}"; do
    cargo +nightly fuzz cmin "${build[@]}" "$target" "runs/$target"
    rm -rf "corpus/$target"
    mkdir -p "corpus/$target"
    size=0
    while read -r bytes file; do
        size=$((size + bytes))
        [[ $size -le $most ]] || break
        cp "$file" "corpus/$target/$(sha256sum "$file" | head -c 16)"
    done < <(find "runs/$target" -type f -size +0 -printf '%s %p\n' | sort -n)
done
du -sh --apparent-size corpus
