#!/usr/bin/env bash
# Runs tests of what parses, cuts and computes in Miri, which finds undefined behaviour, in what that is built on too. It
# takes a quarter of an hour.
#
#   rustup toolchain install nightly --component miri,rust-src
#   scripts/miri.sh
set -euo pipefail
cd "$(dirname "$0")/.."

# Fixtures are read, and what is computed is compared to the last digit. Miri takes a second for a millisecond's work, so few
# cases of a property must do, and no loops over seconds of sound.
export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-deterministic-floats"
export PROPTEST_CASES=4

miri() {
    echo "== $*"
    cargo +nightly miri test --quiet --package bonafide --no-default-features "$@"
}

# A model's header, scores, the sound's quality, windows, WAV.
miri --test model_file
miri --lib -- score:: a_normalised_window the_level_is
# What shares sessions among threads.
miri --features load-dynamic --lib -- pool::
miri --test windows -- --skip the_originals_evaluation --skip the_published_model
# Figures: all but those of thousands of trials.
miri --test metrics -- figures_stay only_the_order swapping the_hull thresholds_honour resamples_keep any_scores probit \
    settings_out infinite extreme pav_calibration_of one_class
miri --test audio -- each_width valid_bits harmless_oddities data_of_unknown_size what_is_not_audio headers_beyond
