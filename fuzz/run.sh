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

nice -n 10 cargo +nightly fuzz build --release --features libfuzzer --target-dir ../target/fuzzing
# The programs themselves, so that changes to the sources meanwhile change nothing.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
export TMPDIR=$programs
for target in "${targets[@]}"; do
    cp ../target/fuzzing/*/release/"$target" "$programs"
done

# Until it has run for as long as it should: a crash ends a run early, and the next goes on.
fuzz() {
    local target=$1 left before
    mkdir -p "runs/$target" "corpus/$target" "artifacts/$target"
    for _ in $(seq 20); do
        left=$((seconds - $(sum ran_seconds "$target")))
        [[ $left -gt 0 ]] || return 0
        before=$(date +%s)
        ASAN_OPTIONS=detect_odr_violation=0 nice -n 10 "$programs/$target" "runs/$target" "corpus/$target" \
            -artifact_prefix="artifacts/$target/" -max_total_time="$left" -rss_limit_mb=2048 -timeout=25 \
            -print_final_stats=1 >> "runs/$target.log" 2>&1 || true
        echo "ran_seconds: $(($(date +%s) - before))" >> "runs/$target.log"
    done
}

# What a target's log says under a name, over all runs.
sum() {
    [[ -e runs/$2.log ]] || { echo 0; return; }
    awk -v name="$1:" '$1 == name { sum += $2 } END { print sum + 0 }' "runs/$2.log"
}

mkdir -p runs
export -f fuzz sum
export seconds programs
printf '%s\n' "${targets[@]}" | xargs -P 2 -I '{}' bash -euo pipefail -c 'fuzz {}'

{
    echo "| target | executions | edges | features | seconds | crashes |"
    echo "|---|---|---|---|---|---|"
    for target in "${targets[@]}"; do
        coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "runs/$target.log" | tail -n 1)
        read -r _ edges _ features <<< "$coverage"
        crashes=$(find "artifacts/$target" -type f | wc -l)
        echo "| \`$target\` | $(sum stat::number_of_executed_units "$target") | $edges | $features" \
            "| $(sum ran_seconds "$target") | $crashes |"
    done
} | tee runs/table.md
