#!/usr/bin/env bash
# What must hold before a release, beside the gate (.ci/run), and the release itself. RELEASING.md says when.
#
#   scripts/release.sh                  every check; nothing leaves the machine
#   scripts/release.sh package deny     some of them
#   scripts/release.sh --install        first installs the tools that are missing
#   scripts/release.sh --publish        every check, then crates.io and a tag
#
# A check whose tool or data can't be had is skipped and listed at the end. Nothing is published then.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
# ONNX Runtime, which the feature `download-binaries` would fetch when linking: nothing is linked here.
export ORT_SKIP_DOWNLOAD=1

checks=(version archives deny docs semver package msrv minimal)
crates=(bonafide bonafide-export) # in the order in which they can be published
packages=(--package bonafide --package bonafide-export)
largest=10000000                  # crates.io takes no larger file
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install=false publish=false selected=() skipped=()

field() { # of [workspace.package]
    sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1
}
version=$(field version)
# The oldest compiler that the crates promise to build with.
oldest=$(field rust-version).0

fail() {
    echo "error: $*" >&2
    exit 1
}
skip() {
    echo "skipped: $*"
    skipped+=("$*")
}
has_tool() {
    cargo "$1" --version >/dev/null 2>&1 && return
    $install && cargo install --locked "cargo-$1"
}
has_toolchain() {
    cargo "+$1" --version >/dev/null 2>&1 && return
    $install && rustup toolchain install "$1" --profile minimal --no-self-update
}

# The changelog has a section for this version, or, until it is published, one for what is unreleased.
check_version() {
    local heading="## \[$version\] - 20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
    $publish || heading="$heading\|## \[Unreleased\]"
    sed -n "/^\($heading\)$/,/^## /p" CHANGELOG.md | grep '^- ' >/dev/null ||
        fail "CHANGELOG.md has no section with the version $version and its date"
    if [[ -n $(git tag --list "v$version") ]]; then
        $publish && fail "v$version is released: raise the version in Cargo.toml"
        echo "version $version, which is released"
    else
        echo "version $version"
    fi
}

# Licences, sources and duplicates of the dependencies, and what is known against them.
check_deny() {
    has_tool deny || { skip "deny: needs cargo-deny"; return; }
    cargo deny --workspace check licenses bans sources
    if cargo deny fetch db; then
        cargo deny --workspace check advisories
    else
        skip "deny: the database of advisories can't be fetched"
    fi
}

# What would be published has what it must, and is small enough.
check_archives() {
    cargo package --quiet --allow-dirty --no-verify "${packages[@]}"
    local crate archive bytes
    for crate in "${crates[@]}"; do
        archive=$target/package/$crate-$version.crate
        bytes=$(stat --format %s "$archive")
        ((bytes < largest)) || fail "$archive has $bytes bytes, more than crates.io takes"
        tar -tzf "$archive" "$crate-$version"/{LICENSE-APACHE,LICENSE-MIT,README.md} >/dev/null
        echo "$crate: $bytes bytes"
    done
}

# Each crate builds from its own archive, and so do the examples, outside of the workspace.
check_package() {
    cargo package --quiet --allow-dirty "${packages[@]}"
    tar -xzf "$target/package/bonafide-$version.crate" -C "$work"
    (cd "$work/bonafide-$version" && CARGO_TARGET_DIR=$target cargo check --quiet --examples)
}

check_docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --all-features
    cargo test --quiet --test links
}

# What changed since the last release is what the new version's number allows.
check_semver() {
    local last
    last=$(git tag --list 'v*' --sort -version:refname | head -n 1)
    [[ -n $last ]] || { echo "nothing is released yet that could be compared with"; return; }
    has_tool semver-checks || { skip "semver: needs cargo-semver-checks"; return; }
    for crate in "${crates[@]}"; do cargo semver-checks --package "$crate" --baseline-rev "$last"; done
}

check_msrv() {
    has_toolchain "$oldest" || { skip "msrv: needs Rust $oldest"; return; }
    check_all "+$oldest" .
}

# The lower bounds in Cargo.toml are not lower than they can be.
check_minimal() {
    has_toolchain nightly || { skip "minimal: needs nightly's cargo, to choose the versions"; return; }
    has_toolchain "$oldest" || { skip "minimal: needs Rust $oldest"; return; }
    local copy=$work/minimal
    mkdir "$copy"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$copy"
    (cd "$copy" && cargo +nightly update --quiet -Z direct-minimal-versions)
    check_all "+$oldest" "$copy"
}

check_all() { # with a toolchain, in a folder
    (cd "$2" && CARGO_TARGET_DIR=$target/release-checks cargo "$1" check --quiet --locked --workspace --all-targets \
        --features cuda,tensorrt,serde,bonafide-export/hub --config 'profile.dev.package."*".opt-level=0')
}

while (($#)); do
    case "$1" in
    --install) install=true ;;
    --publish) publish=true ;;
    -*) fail "$1 is no option: see the top of $0" ;;
    *)
        [[ " ${checks[*]} " == *" $1 "* ]] || fail "$1 is no check; there are ${checks[*]}"
        selected+=("$1")
        ;;
    esac
    shift
done
if $publish; then
    ((${#selected[@]} == 0)) || fail "publishing takes every check"
    [[ -z $(git status --porcelain) ]] || fail "there are changes that are not committed"
fi

((${#selected[@]})) || selected=("${checks[@]}")

for check in "${selected[@]}"; do
    echo
    echo "== $check ($(date +%T))"
    "check_$check"
done

echo
for reason in "${skipped[@]}"; do echo "skipped: $reason"; done
if ! $publish; then
    echo "done; nothing was published"
    exit
fi
((${#skipped[@]} == 0)) || fail "nothing is published while checks are skipped"
for crate in "${crates[@]}"; do cargo publish --package "$crate"; done
git tag --annotate "v$version" --message "$version"
echo "published. What is left: git push origin v$version"
