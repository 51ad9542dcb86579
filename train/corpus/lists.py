"""Writes OUT/{train,dev,test}.tsv (`file label source speaker recording`) and OUT/STATUS.md from what exists now.

    lists.py OUT
"""

import sys
from collections import Counter
from pathlib import Path

import soundfile

from common import write_text
from splits import split_of, split_of_voice


def rows(out):
    """(split, file, label, source, speaker, recording) of every finished clip, from the marks.

    Copies have their original's recording.
    """
    for mark in sorted((out / "work").glob("*/*/*")):
        place, source, speaker = mark.read_text().strip("\n").split("\t") if "\t" in mark.read_text() else ("-",) * 3
        if place == "-":
            continue
        part, recording = mark.parent.parent.name, f"{mark.parent.name}/{mark.name}"
        if part == "tts":
            yield split_of_voice(source, speaker), place, "spoof", source, speaker, recording
        elif part.startswith("bonafide"):
            yield split_of(speaker), place, "bonafide", package_of(speaker), speaker, recording
        else:
            yield split_of(speaker), place, "spoof", source, speaker, recording


def package_of(speaker):
    """What a list names as the source of a bona fide clip: the speaker without its last part."""
    return speaker.rsplit("-", 1)[0] if "-" in speaker else speaker


def hours(out, place, known):
    """A clip's hours; lengths are kept between runs."""
    if place not in known:
        info = soundfile.info(str(out / place))
        known[place] = info.frames / info.samplerate / 3600
    return known[place]


def main():
    out = Path(sys.argv[1])
    store = out / "cache" / "hours.tsv"
    known = {}
    if store.exists():
        known = {f: float(h) for f, h in (line.split("\t") for line in store.read_text().splitlines())}
    tables = {"train": [], "dev": [], "test": []}
    count, total, voices = Counter(), Counter(), {}
    for split, place, label, source, speaker, recording in rows(out):
        h = hours(out, place, known)
        tables[split].append((place, label, source, speaker, recording))
        for key in ((split, label, source), (split, label, "all")):
            count[key] += 1
            total[key] += h
        voices.setdefault((split, label), set()).add(speaker)
    for split, table in tables.items():
        lines = ["file\tlabel\tsource\tspeaker\trecording", *("\t".join(r) for r in sorted(table))]
        write_text(out / f"{split}.tsv", "\n".join(lines) + "\n")
    write_text(store, "".join(f"{f}\t{h:.6f}\n" for f, h in sorted(known.items())))

    text = ["# Corpus as it is now", ""]
    for split in tables:
        text += [f"## {split}", "", "| label | source | clips | hours |", "|---|---|---:|---:|"]
        for label in ("bonafide", "spoof"):
            keys = sorted((k for k in count if k[:2] == (split, label)), key=lambda k: (k[2] != "all", k[2]))
            text += [f"| {label} | {k[2]} | {count[k]} | {total[k]:.2f} |" for k in keys]
            text.append(f"| {label} | speakers | {len(voices.get((split, label), ()))} | |")
        text.append("")
    write_text(out / "STATUS.md", "\n".join(text))
    for split in tables:
        print(split, *(f"{label} {total[(split, label, 'all')]:.2f} h" for label in ("bonafide", "spoof")))


if __name__ == "__main__":
    main()
