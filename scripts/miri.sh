#!/usr/bin/env bash
# Runs the tests of the modules that compute and parse, and touch no foreign code, in Miri, which finds undefined behaviour:
# also in what they are built on. Needs a nightly toolchain with the component miri.
#
#   rustup toolchain install nightly --component miri,rust-src
#   scripts/miri.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Files of fixtures are read; Miri takes a second for what takes a millisecond otherwise, so few cases must do.
export MIRIFLAGS=-Zmiri-disable-isolation
export PROPTEST_CASES=4
miri() {
    cargo +nightly miri test --quiet "$@"
}

# Windows, scores, metrics, the header of a model, and WAV.
miri --package bonafide --no-default-features --lib -- score:: detector::
