"""Trivial baselines: can a class be told without listening? Prints a table and writes OUT/leaks.json.

    leaks.py OUT [LIST ...]

For each measure the equal error rate is that of the better direction; chance is 50 %, and the goal is above 40 %.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import median_filter

from common import RATE, load, rms, write_text
from cut import FRAME, active, levels


def gaps(x, frame=512, hop=128):
    """How far the emptiest hundredth of the bins lies below its neighbours in frequency, in dB, above a telephone's band and in the
    loud half of the frames: the holes that Vorbis and MP3 leave. Where people's recordings had been through a codec and copies had
    not, this alone had an equal error rate of 17 % (70 clips and their FARGAN copies; 47 % since `source_codec.py`)."""
    frames = np.lib.stride_tricks.sliding_window_view(x, frame)[::hop] * np.hanning(frame)
    db = 10 * np.log10(np.abs(np.fft.rfft(frames)) ** 2 + 1e-12)
    peaks = db.max(axis=1)
    bins = db[peaks >= np.median(peaks), 3500 * frame // RATE : 7000 * frame // RATE]
    return float(np.percentile(bins - median_filter(bins, (1, 9)), 1))


def measures(x):
    """The baselines' numbers for one clip."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2 + 1e-20
    f = np.fft.rfftfreq(len(x), 1 / RATE)
    share = np.cumsum(spectrum) / spectrum.sum()
    on, db = np.flatnonzero(active(x)), levels(x)
    bands = np.log10([spectrum[(f >= lo) & (f < lo * 2)].mean() for lo in (125, 250, 500, 1000, 2000, 4000)])
    integers = np.round(x * 32768).astype(int)
    return {
        "duration": len(x) / RATE,
        "loudness (RMS)": 20 * np.log10(rms(x)),
        "peak": float(np.abs(x).max()),
        "bandwidth (95 % of energy)": float(f[np.searchsorted(share, 0.95)]),
        "bandwidth (99.9 % of energy)": float(f[np.searchsorted(share, 0.999)]),
        "spectral tilt": float(np.polyfit(range(6), bands, 1)[0]),
        "leading silence": (on[0] if len(on) else 0) * FRAME / RATE,
        "trailing silence": (len(db) - 1 - on[-1] if len(on) else 0) * FRAME / RATE,
        "noise floor (5th percentile)": float(np.percentile(db, 5)),
        "dynamic range": float(np.percentile(db, 95) - np.percentile(db, 10)),
        "spectral gaps (1st percentile)": gaps(x),
        "mean (DC)": abs(float(x.mean())),
        "share of zero samples": float(np.mean(integers == 0)),
        "share of odd samples": float(np.mean(integers % 2)),
    }


def equal_error_rate(bonafide, spoof):
    """EER of the better of both directions, 0 to 0.5."""
    scores = np.concatenate([bonafide, spoof])
    labels = np.concatenate([np.ones(len(bonafide)), np.zeros(len(spoof))])
    # Ties in random order: a measure that is equal for all is chance.
    order = np.lexsort((np.random.default_rng(0).random(len(scores)), scores))
    labels = labels[order]
    missed = np.cumsum(labels) / labels.sum()
    passed = 1 - np.cumsum(1 - labels) / (1 - labels).sum()
    at = int(np.argmin(np.abs(missed - passed)))
    eer = (missed[at] + passed[at]) / 2
    return float(min(eer, 1 - eer))


def measured(out, lists):
    """The equal error rate of each measure on each list, in fractions: measure -> list -> rate."""
    table = {}
    for name, path in lists.items():
        values = {"bonafide": [], "spoof": []}
        for line in path.read_text().splitlines()[1:]:
            file, label, *_ = line.split("\t")
            values[label].append(measures(load(out / file)))
        for key in values["bonafide"][0] if values["bonafide"] else ():
            columns = [np.array([m[key] for m in values[label]]) for label in ("bonafide", "spoof")]
            table.setdefault(key, {})[name] = equal_error_rate(*columns)
    return table


def main():
    out = Path(sys.argv[1])
    names = sys.argv[2:] or ["test", "test_telephone", "test_codec"]
    lists = {name: out / f"{name}.tsv" for name in names if (out / f"{name}.tsv").exists()}
    made_from, result = [*lists.values(), Path(__file__)], out / "leaks.json"
    fresh = result.exists() and all(path.stat().st_mtime < result.stat().st_mtime for path in made_from)
    table = json.loads(result.read_text()) if fresh else {}
    if not table or any(row.keys() != lists.keys() for row in table.values()):
        table = measured(out, lists)
        write_text(result, json.dumps(table, indent=1) + "\n")
        result.touch()  # newer than the lists, also where the figures are as they were
    names = sorted({n for row in table.values() for n in row})
    print("| baseline | " + " | ".join(names) + " |\n|---|" + "---:|" * len(names))
    for key, row in table.items():
        print(f"| {key} | " + " | ".join(f"{100 * row[n]:.1f} %" for n in names) + " |")


if __name__ == "__main__":
    main()
