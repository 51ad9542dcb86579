#!/usr/bin/env bash
# Drives the demo's page and a report in headless Chromium: tests/browser/run.sh
#
# Needs Node.js 20 or later with npm, and Chromium, which is taken from Debian when it isn't there (as root). Pictures of what was
# seen are left in target/browser.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v "${CHROMIUM:=chromium}" >/dev/null; then
    [[ $(id -u) = 0 ]] && command -v apt-get >/dev/null || { echo "$0: no $CHROMIUM: set CHROMIUM to its path" >&2; exit 1; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
CHROMIUM=$(command -v "$CHROMIUM")
export CHROMIUM

# The profile of the tests, which CI has built by now.
cargo build --quiet --example demo --example score
npm ci --silent --no-audit --no-fund
npm test --silent
