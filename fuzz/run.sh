#!/usr/bin/env bash
# Fuzzes targets, two at a time, and writes a table of what came of it.
#
#     fuzz/run.sh [SECONDS [TARGET...]]     10 minutes each, all targets, by default
#
# What is found is kept in fuzz/runs/TARGET, so that another run goes on from there; a target that has run for as long
# already is passed over. Crashes are in fuzz/artifacts/TARGET. The table is fuzz/runs/table.md.
# Needs cargo-fuzz and a nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-600}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)
build=(--release --debug-assertions --features libfuzzer --target-dir ../target/fuzzing)

# Until it has run for as long as it should: a crash ends a run early, and the next goes on.
fuzz() {
    local target=$1 log=runs/$1.log passed left before
    mkdir -p "runs/$target" "corpus/$target" "artifacts/$target"
    for _ in $(seq 20); do
        passed=$(passed "$target")
        left=$((seconds - passed))
        [[ $left -gt 0 ]] || return 0
        before=$(date +%s)
        # shellcheck disable=SC2024
        nice -n 10 cargo +nightly fuzz run "${build[@]}" "$target" "runs/$target" "corpus/$target" -- \
            -max_total_time="$left" -rss_limit_mb=2048 -timeout=25 -print_final_stats=1 >> "$log" 2>&1 || true
        echo "ran_seconds: $(($(date +%s) - before))" >> "$log"
    done
}

# Seconds that a target has run for, over all runs.
passed() {
    sum "s/^ran_seconds: //p" "$1"
}

sum() {
    sed -n "$1" "runs/$2.log" 2> /dev/null | awk '{ sum += $1 } END { print sum + 0 }'
}

mkdir -p runs
cargo +nightly fuzz build "${build[@]}"
export -f fuzz passed sum
export seconds build_line="${build[*]}"
printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash -euo pipefail -c 'read -ra build <<< "$build_line"; fuzz {}'

{
    echo "| target | executions | edges | features | seconds | crashes |"
    echo "|---|---|---|---|---|---|"
    for target in "${targets[@]}"; do
        executions=$(sum 's/^stat::number_of_executed_units: //p' "$target")
        last=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "runs/$target.log" | tail -n 1)
        read -r _ edges _ features <<< "$last"
        crashes=$(find "artifacts/$target" -type f | wc -l)
        echo "| \`$target\` | $executions | $edges | $features | $(passed "$target") | $crashes |"
    done
} | tee runs/table.md
