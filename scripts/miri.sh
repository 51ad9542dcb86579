#!/usr/bin/env bash
# Runs tests of what parses and cuts in Miri, which finds undefined behaviour, in what that is built on too.
#
#   rustup toolchain install nightly --component miri,rust-src
#   scripts/miri.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Fixtures are read. Miri takes a second for a millisecond's work, so few cases of a property must do, and no loops over
# seconds of sound.
export MIRIFLAGS=-Zmiri-disable-isolation
export PROPTEST_CASES=4

miri() {
    echo "== $*"
    cargo +nightly miri test --quiet --package bonafide --no-default-features "$@"
}

# A model's header, windows, WAV.
miri --test model_file
miri --test windows -- --skip the_originals_evaluation --skip the_published_model
miri --test audio -- each_width valid_bits harmless_oddities data_of_unknown_size what_is_not_audio headers_beyond
