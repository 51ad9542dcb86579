"""Copy synthesis: bona fide clips through the vocoders, and the bona fide clips' own final form.

    copies.py OUT [--part bonafide|gan|melgan|dsp|held] [--shard K/N] [--source NAME] [--split NAME] [--again K] [--cheap]
        [--share 1.0]

Which engines a clip goes through is drawn from the clip's name. Clips come in a random order, so a run that is stopped
leaves a fair sample; what exists is skipped. `--share 0.5` takes the half of them that comes first, always the same.
`--again 2` draws once more for the same clips (bona fide ones in training only); `--cheap` leaves what falls to a slow engine
for a later run, when a first corpus is wanted soon. Files: OUT/bonafide/SPEAKER/NAME.flac and
OUT/spoof/ENGINE/SPEAKER/NAME.flac, where ENGINE is the variant that was drawn; the place is known before the work by
OUT/work/PART/... marks.
"""

import argparse
import sys
import traceback
from collections import Counter
from pathlib import Path

import source_codec
from common import drawn, load, rng_of, save, seed_of, write_text
from engines import codec2, fargan, griffin_lim, hifigan, lpcnet, mel_driven, melgan, source_filter, world
from finish import finish
from splits import split_of

# Part -> (weight, engine): a clip gets one of `gan`, mostly one of `dsp`, perhaps one of `melgan`, and in test perhaps one of
# `held`.
GAN = [
    (12, hifigan.plain), (10, hifigan.rate), (14, hifigan.smooth), (6, hifigan.pitch), (14, hifigan.perturbed),
    (11, fargan.plain), (18, fargan.perturbed), (15, fargan.smooth),
]  # fmt: skip
DSP = [
    (5, world.plain), (8, world.coded), (8, world.pitch), (13, griffin_lim.resynthesise), (24, source_filter.nsf),
    (8, source_filter.lpc), (6, source_filter.mlsa), (8, codec2.resynthesise),
]  # fmt: skip
MELGAN = [(4, melgan.plain), (3, melgan.smooth), (3, melgan.perturbed)]
HELD = [(1, lpcnet.resynthesise)]
PARTS = {"gan": GAN, "melgan": MELGAN, "dsp": DSP, "held": HELD}

# The share of clips that a part takes; "held" in test only.
SHARE = {"bonafide": 1.0, "gan": 1.0, "melgan": 0.25, "dsp": 0.7, "held": 0.08}


# Engines above 0.04 x real time on one core.
SLOW = {e for _, e in GAN + MELGAN if e.__module__ in (hifigan.__name__, melgan.__name__)} | {world.plain, world.coded, world.pitch}
SLOW |= {source_filter.mlsa, lpcnet.resynthesise}


def clips(out, source="*", split=None):
    """All clean clips, or those of a split, as (order, speaker, name, path)."""
    found = []
    for path in (out / "clean").glob(f"{source}/*/*.flac"):
        speaker = path.parent.name
        if split in (None, split_of(speaker)):
            found.append((seed_of("order", speaker, path.stem), speaker, path.stem, path))
    return sorted(found)


def make(out, part, again, cheap, speaker, name, path):
    """One clip through one part; True if something was written."""
    turn = part if again == 1 else f"{part}-{again}"
    mark = out / "work" / turn / speaker / name
    if mark.exists():
        return False
    rng = rng_of(turn, speaker, name)
    split = split_of(speaker)
    wanted = {"held": split == "test", "bonafide": again == 1 or split == "train"}
    if rng.random() > SHARE[part] or not wanted.get(part, True):
        write_text(mark, "-\n")
        return False
    if part == "bonafide":
        y, source = load(path), None
    else:
        engine = drawn(PARTS[part], rng)
        if cheap and engine in SLOW:
            return False
        y, source = engine(load(path), rng)
        y = source_codec.through(source_codec.of_speaker(speaker), y, rng_of("source codec", turn, speaker, name))
    y = finish(y, rng_of("finish", turn, speaker, name), narrow=bool(source) and source.startswith("codec2"))
    folder = Path("spoof") / source if source else Path("bonafide")
    place = folder / speaker / (f"{name}.flac" if again == 1 else f"{name}-{again}.flac")
    if len(y):
        save(out / place, y)
    write_text(mark, f"{place if len(y) else '-'}\t{source or '-'}\t{speaker}\n")
    return bool(len(y))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("out", type=Path)
    args.add_argument("--part", action="append", choices=["bonafide", *PARTS])
    args.add_argument("--shard", default="0/1")
    args.add_argument("--source", default="*")
    args.add_argument("--split", choices=["train", "dev", "test"])
    args.add_argument("--again", type=int, default=1)
    args.add_argument("--cheap", action="store_true")
    args.add_argument("--share", type=float, default=1.0)
    args = args.parse_args()
    k, n = map(int, args.shard.split("/"))
    mel_driven.use(args.out / "cache" / "wheels")
    fargan.use(args.out / "tools")
    parts = args.part or ["bonafide", *PARTS]
    seen, failures = set(), Counter()
    while True:
        # Listed again after every hundred clips: `bonafide.py` may still be cutting. A clip goes through all parts
        # before the next one, so that a run that is stopped is balanced.
        mine = [c for c in clips(args.out, args.source, args.split) if c[0] % n == k and c[0] < args.share * 2**64]
        todo = [c for c in mine if c not in seen][:100]
        if not todo:
            break
        for clip in todo:
            seen.add(clip)
            for part in parts:
                try:
                    make(args.out, part, args.again, args.cheap, *clip[1:])
                except Exception:  # one clip that an engine cannot take costs that clip only
                    failures[part] += 1
                    print(part, *clip[1:3], file=sys.stderr)
                    traceback.print_exc()
        print(f"{len(seen)} clips, failures {dict(failures)}", flush=True)


if __name__ == "__main__":
    main()
