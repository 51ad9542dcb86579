"""Sums up the scores of the default model: the figures of its card, as JSON.

    card.py EVALUATE SCORES > models/lite.json

EVALUATE is the `evaluate` program, SCORES the folder with a run of it for each list: MODEL-test, MODEL-test_telephone,
MODEL-test_codec, and perhaps others, whose names then say what they are. All figures are the program's.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "corpus"))
from splits import HELD_OUT  # noqa: E402

# Of the engines that are held out.
NEURAL = ("piper", "lpcnet")
GAN = ("hifigan", "melgan", "fargan")
CONDITIONS = {"test": "clean", "test_telephone": "telephone", "test_codec": "codecs"}
# Name, and which sources of spoof belong to it.
SETS = [
    ("engines of training", lambda source: source not in HELD_OUT),
    ("GAN vocoders of training", lambda source: source.startswith(GAN)),
    ("neural engines never heard", lambda source: source in NEURAL),
    ("HMM and unit selection never heard", lambda source: source in HELD_OUT and source not in NEURAL),
    *((source, lambda found, source=source: found == source) for source in ("kokoro", *HELD_OUT)),
]


def figures(evaluate, rows):
    """What `evaluate scores` says of lines of a score file."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(rows) + "\n")
        file.flush()
        done = subprocess.run([evaluate, "scores", "--json", file.name], capture_output=True, check=True)
    pooled = json.loads(done.stdout)
    names = {"trials": "trials", "bonafide": "bonafide", "spoof": "spoof", "eer": "eer_asvspoof", "eer_ci95": "eer_ci95"}
    names |= {"auc": "auc", "cllr": "cllr", "min_cllr": "min_cllr"}
    return {name: pooled[field] for name, field in names.items()}


def main():
    evaluate, folder = sys.argv[1], Path(sys.argv[2])
    sets = []
    for run in sorted(folder.iterdir()):
        _, _, name = run.name.partition("-")
        if not name or name == "dev":
            continue
        rows = [line for line in (run / "scores.txt").read_text().splitlines() if line]
        sources = {row: row.split()[1] for row in rows}
        bonafide = [row for row in rows if row.split()[2] == "bonafide"]
        spoof = [row for row in rows if row.split()[2] == "spoof"]
        condition = CONDITIONS.get(name)
        parts = [("all", spoof)]
        if condition:
            parts += [(part, [row for row in spoof if belongs(sources[row])]) for part, belongs in SETS]
        else:
            parts += [(source, [row for row in spoof if sources[row] == source]) for source in sorted({sources[r] for r in spoof})]
        for part, chosen in parts:
            if chosen:
                found = figures(evaluate, bonafide + chosen)
                sets.append({"name": f"{part}, {condition or name}", **found})
    print(json.dumps({"sets": sets}, indent=1))


if __name__ == "__main__":
    main()
