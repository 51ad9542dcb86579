"""What happens to recordings, done to a list of them: the last table of the default model's card.

    ways.py make LIST OUT
    ways.py table EVALUATE RUN [RUN ...] > ways.json

`make` writes every clip of LIST (`file label source`, 16 kHz) in each way to OUT, and OUT/list.tsv, whose sources are the
ways. `table` sums up runs of `evaluate` on that list, one per model: equal error rate, spoof missed and bona fide called
spoof at P(spoof) 0.5. What is random in a way is drawn from its name and the clip's.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.signal import oaconvolve

sys.path.insert(0, str(Path(__file__).parent / "corpus"))
from card import figures, read  # noqa: E402
from common import RATE, load, rms, rng_of, save, write_text  # noqa: E402
from conditions import through  # noqa: E402


def noisy(noise, decibels):
    """Adds `noise`, a function of a length and a generator, so many dB below the clip."""

    def way(x, rng):
        n = noise(len(x), rng)
        return x + n * (rms(x) / rms(n) * 10 ** (-decibels / 20))

    return way


def white(length, rng):
    """Noise of the same power at every frequency."""
    return rng.standard_normal(length)


def pink(length, rng):
    """Noise that falls by 3 dB an octave."""
    f = np.fft.rfft(rng.standard_normal(length))
    return np.fft.irfft(f / np.sqrt(np.maximum(np.arange(len(f)), 1)), length)


def room(seconds, decibels):
    """A room whose noise-like reverberation dies away by 60 dB in so many seconds, the voice so many dB above it."""

    def way(x, rng):
        t = np.arange(int(seconds * RATE * 1.2)) / RATE
        h = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds) * (t >= 0.003)
        h *= 10 ** (-decibels / 20) / np.sqrt((h**2).sum())
        h[0] = 1
        return like(oaconvolve(x, h)[: len(x)], x)

    return way


def tilted(decibels):
    """Louder by so many dB an octave, from 125 Hz on."""

    def way(x, _):
        hertz = np.fft.rfftfreq(len(x), 1 / RATE)
        gain = 10 ** (decibels * np.log2(np.maximum(hertz, 125) / 1000) / 20)
        return like(np.fft.irfft(np.fft.rfft(x) * gain, len(x)), x)

    return way


def coded(ending, *options):
    """Encoded and decoded by ffmpeg."""
    return lambda x, _: through((ending, ["-c:a", *options]), held(x))


def after(first, second):
    """One way after another."""
    return lambda x, rng: second(first(x, rng), rng)


def like(y, x):
    """`y` as loud as `x`."""
    return y * (rms(x) / rms(y))


def held(x):
    """Not so loud that it is clipped."""
    return x * min(1, 0.95 / np.abs(x).max(initial=1e-9))


SMALL_ROOM = room(0.3, 12)
WAYS = {
    "as it is": lambda x, _: x,
    "white noise, 30 dB": noisy(white, 30),
    "pink noise, 25 dB": noisy(pink, 25),
    "pink noise, 15 dB": noisy(pink, 15),
    "room, 0.3 s, 12 dB": SMALL_ROOM,
    "room, 0.5 s, 6 dB": room(0.5, 6),
    "room, 0.3 s, pink noise, 20 dB": after(SMALL_ROOM, noisy(pink, 20)),
    "treble up": tilted(3),
    "treble down": tilted(-3),
    "MP3, 64 kbit/s": coded("mp3", "libmp3lame", "-b:a", "64k"),
    "MP3, 32 kbit/s": coded("mp3", "libmp3lame", "-b:a", "32k"),
    "Vorbis, q 3": coded("ogg", "libvorbis", "-q:a", "3"),
    "Vorbis, q 0": coded("ogg", "libvorbis", "-q:a", "0"),
    "G.722": coded("wav", "g722"),
    "Opus, 24 kbit/s": coded("ogg", "libopus", "-b:a", "24k"),
}


def slug(way):
    """A way's name as a folder's, and as a source's, which a score file ends at a space."""
    return "".join(c if c.isalnum() else "-" for c in way.lower())


def make(clips, out):
    """Writes every clip in every way, and the list."""
    with clips.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    lines = ["file\tlabel\tsource"]
    for way, change in WAYS.items():
        for number, row in enumerate(rows):
            place = f"{slug(way)}/{number:04}.flac"
            if not (out / place).exists():
                save(out / place, held(change(load(clips.parent / row["file"]), rng_of(way, row["file"]))))
            lines.append(f"{place}\t{row['label']}\t{slug(way)}")
    write_text(out / "list.tsv", "\n".join(lines) + "\n")


def table(evaluate, runs):
    """The figures of each run in each way, and in all with one threshold."""
    result = {}
    for run in runs:
        trials = read(run / "scores.txt")
        # A score file has `-` for the source of what is bona fide: the folder says the way.
        ways = {way: [t for t in trials if Path(t.file).parent.name == slug(way)] for way in WAYS}
        result[run.name] = {way: figures(evaluate, chosen) for way, chosen in (*ways.items(), ("all", trials))}
    return result


def main():
    match sys.argv[1:]:
        case ["make", clips, out]:
            make(Path(clips), Path(out))
        case ["table", evaluate, *runs] if runs:
            print(json.dumps(table(evaluate, map(Path, runs)), indent=1))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
