"""Sums up the scores of the default model: the figures of its card, as JSON.

    card.py EVALUATE SCORES > models/lite.json

EVALUATE is the `evaluate` program, SCORES the folder with a run of it for each list: MODEL-test, MODEL-test_telephone,
MODEL-test_codec, and perhaps others, whose names then say what they are. All figures are the program's, but the errors at
P(spoof) 0.5. `costs` are how much higher an equal error rate is through a channel than clean, by the same clips.
"""

import json
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "corpus"))
from splits import HELD_OUT  # noqa: E402

# Of the engines that are held out.
NEURAL = ("piper", "lpcnet")
GAN = ("hifigan", "melgan", "fargan")
CLEAN = "test"
CONDITIONS = {CLEAN: "clean", "test_telephone": "telephone", "test_codec": "codecs"}
# Name, and which sources of spoof belong to it.
SETS = [
    ("engines of training", lambda source: source not in HELD_OUT),
    ("GAN vocoders of training", lambda source: source.startswith(GAN)),
    ("neural engines never heard", lambda source: source in NEURAL),
    ("HMM and unit selection never heard", lambda source: source in HELD_OUT and source not in NEURAL),
    *((source, lambda found, source=source: found == source) for source in ("kokoro", *HELD_OUT)),
]


class Trial(NamedTuple):
    """A line of a score file; the score is the log-likelihood ratio, 0 where P(spoof) is 0.5."""

    file: str
    source: str
    label: str
    score: float


def read(path):
    """The trials of a score file, in the order of their names."""
    lines = [line.split() for line in path.read_text().splitlines() if line]
    return sorted(Trial(file, source, label, float(score)) for file, source, label, score in lines)


@contextmanager
def written(trials):
    """The path of a score file with these trials."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{' '.join(map(str, trial))}\n" for trial in trials)
        file.flush()
        yield file.name


def said(evaluate, command, *files):
    """What `evaluate` says of score files."""
    return json.loads(subprocess.run([evaluate, command, "--json", *files], capture_output=True, check=True).stdout)


def figures(evaluate, trials):
    """What `evaluate scores` says of the trials, and the errors at P(spoof) 0.5."""
    with written(trials) as file:
        pooled = said(evaluate, "scores", file)
    names = {"trials": "trials", "bonafide": "bonafide", "spoof": "spoof", "eer": "eer_asvspoof", "eer_ci95": "eer_ci95"}
    names |= {"auc": "auc", "cllr": "cllr", "min_cllr": "min_cllr"}
    called_spoof = {label: [t.score < 0 for t in trials if t.label == label] for label in ("bonafide", "spoof")}
    share = {label: sum(called) / len(called) for label, called in called_spoof.items()}
    at_half = {"bonafide_called_spoof": share["bonafide"], "spoof_missed": 1 - share["spoof"]}
    return {name: pooled[field] for name, field in names.items()} | at_half


def cost(evaluate, clean, changed):
    """How much higher the equal error rate of `changed` is, the same clips through a channel, and its 95 % interval."""
    if [(t.source, t.label) for t in changed] != [(t.source, t.label) for t in clean] or not all(
        after.file.endswith(before.file) for before, after in zip(clean, changed)
    ):
        raise SystemExit("a channel's list has other clips than the clean one")
    with written(clean) as first, written(after._replace(file=before.file) for before, after in zip(clean, changed)) as second:
        eer = said(evaluate, "compare", first, second)["eer_asvspoof"]
    return {"eer_more": eer["difference"], "eer_more_ci95": eer["ci95"]}


def part(trials, belongs):
    """All bona fide trials, and those spoofed ones whose source belongs to the part."""
    return [t for t in trials if t.label == "bonafide" or belongs(t.source)]


def main():
    evaluate, folder = sys.argv[1], Path(sys.argv[2])
    lists = {}
    for run in sorted(folder.iterdir()):
        _, _, name = run.name.partition("-")
        if name and name != "dev":
            lists[name] = read(run / "scores.txt")
    everything = ("all", lambda source: True)
    sets, costs = [], []
    for name, trials in lists.items():
        condition = CONDITIONS.get(name)
        sources = sorted({t.source for t in trials if t.label == "spoof"})
        parts = SETS if condition else [(source, lambda found, source=source: found == source) for source in sources]
        for called, belongs in (everything, *parts):
            chosen = part(trials, belongs)
            if any(t.label == "spoof" for t in chosen):
                called = f"{called}, {condition or name}"
                sets.append({"name": called, **figures(evaluate, chosen)})
                if condition and name != CLEAN:
                    costs.append({"name": called, **cost(evaluate, part(lists[CLEAN], belongs), chosen)})
    print(json.dumps({"sets": sets, "costs": costs}, indent=1))


if __name__ == "__main__":
    main()
