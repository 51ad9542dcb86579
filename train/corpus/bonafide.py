"""Unpacks the sources and cuts them to clean clips: OUT/clean/SOURCE/SPEAKER/NAME.flac.

    bonafide.py OUT [--speech DIR ...] [--only SOURCE ...]

A source that is done leaves `OUT/clean/SOURCE/done`, with what was kept and dropped, and is skipped the next time.
"""

import argparse
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import sources
from common import RATE, alone, rms, rng_of, save, write_text
from cut import is_speech, join_short, pieces, trim

# No voice and no package may dominate.
HOURS_A_SPEAKER = 0.6
HOURS_A_SOURCE = 2.6


def download(package, cache):
    """A Debian package's files, without installing it."""
    tree = cache / "unpacked" / package
    with alone(cache):
        if not tree.exists():
            debs = cache / "debs"
            debs.mkdir(exist_ok=True)
            if not list(debs.glob(f"{package}_*.deb")):
                subprocess.run(["apt-get", "download", package], cwd=debs, check=True, stdout=subprocess.DEVNULL)
            part = tree.with_name(f".{package}.part")
            subprocess.run(["rm", "-rf", part], check=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg", "-x", next(debs.glob(f"{package}_*.deb")), part], check=True)
            part.rename(tree)
    return tree


def clips_of(recordings, log):
    """Reads, checks and cuts recordings, by speaker, until the speaker's and the source's hours are full."""
    by_speaker = defaultdict(list)
    for speaker, name, read in recordings:
        by_speaker[speaker].append((name, read))
    spare = HOURS_A_SOURCE * 3600 / max(1, len(by_speaker))
    budget = min(HOURS_A_SPEAKER * 3600, max(spare, 240 if len(by_speaker) > 8 else spare))
    for speaker, items in sorted(by_speaker.items()):
        # A random half of a long list is a fair sample of it; the order inside it stays, for joining neighbours.
        order = rng_of("sample", speaker).permutation(len(items))
        kept, seconds = [], 0.0
        for i in order:
            if seconds > budget:
                break
            name, read = items[i]
            try:
                x = read()
            except Exception as error:  # a damaged or foreign file costs that file only
                log["unreadable"] += 1
                print(f"{speaker} {name}: {error}", file=sys.stderr)
                continue
            x = trim(x - np.mean(x) if len(x) else x, 0.3, 0.3)
            if not is_speech(x):
                log["dropped"] += 1
                continue
            log["kept"] += 1
            seconds += len(x) / RATE
            kept.append((i, name, x))
        short = []
        for i, name, x in sorted(kept, key=lambda k: k[0]):
            cut = pieces(x)
            short += [(f"{name}-{n}" if len(cut) > 1 else name, c) for n, c in enumerate(cut) if len(c) > RATE // 2]
        for name, x in join_short(short, rng_of("join", speaker)):
            yield speaker, name, x * np.float32(0.08 / rms(x)) if rms(x) > 0 else x


def make(job):
    """One source."""
    name, out, read, package = job
    folder = out / "clean" / name
    if (folder / "done").exists():
        return f"{name}: there"
    log, hours, count = Counter(), 0.0, 0
    recordings = read(download(package, out / "cache")) if package else read()
    for speaker, clip, x in clips_of(recordings, log):
        peak = np.abs(x).max()
        save(folder / speaker / f"{clip}.flac", x * min(1.0, 0.95 / peak) if peak > 0 else x)
        hours += len(x) / RATE / 3600
        count += 1
    text = f"{name}: {count} clips, {hours:.2f} h; recordings {dict(log)}"
    write_text(folder / "done", text + "\n")
    return text


class Folder:
    """A user's folder as a job that can go to another process."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __call__(self):
        labelled = (self.folder / "labels.tsv").exists()
        return sources.speech_folder(self.folder) if labelled else sources.plain_folder(self.folder)


class Package:
    """A Debian source's reader, found again by name in another process."""

    def __init__(self, name):
        self.name = name

    def __call__(self, tree):
        return next(s for s in sources.DEBIAN if s.name == self.name).read(tree)


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("out", type=Path)
    args.add_argument("--speech", action="append", default=[])
    args.add_argument("--only", action="append", default=[])
    args = args.parse_args()
    jobs = [(f"speech-{Path(d).name}", args.out, Folder(d), None) for d in args.speech]
    jobs += [(s.name, args.out, Package(s.name), s.package) for s in sources.DEBIAN]
    jobs = [j for j in jobs if not args.only or j[0] in args.only]
    with ProcessPoolExecutor(2) as pool:
        for line in pool.map(make, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
