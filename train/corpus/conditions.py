"""The test list again through fixed channels, both classes alike, each file's channel drawn from its name.

    conditions.py OUT

- OUT/test_telephone/...: 300 to 3400 Hz, 8 kHz, G.711 (mu-law or A-law).
- OUT/test_codec/...: MP3, Opus, AAC, G.722 or GSM at a low bit rate.

Lists: OUT/test_telephone.tsv and test_codec.tsv, with the source, speaker and recording of the original.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from common import RATE, fit, load, resample, rng_of, save, seed_of, write_text

# File ending, ffmpeg options of the encoder
CODECS = [
    ("mp3", ["-c:a", "libmp3lame", "-b:a", "24k"]),
    ("mp3", ["-c:a", "libmp3lame", "-b:a", "48k"]),
    ("ogg", ["-c:a", "libopus", "-b:a", "12k", "-application", "voip"]),
    ("ogg", ["-c:a", "libopus", "-b:a", "20k"]),
    ("m4a", ["-c:a", "aac", "-b:a", "24k"]),
    ("m4a", ["-c:a", "aac", "-b:a", "40k"]),
    ("wav", ["-c:a", "g722"]),
    ("gsm", ["-c:a", "libgsm", "-ar", "8000"]),
]


def mu_law(x):
    """G.711 mu-law by its formula (mu 255, 8 bit)."""
    y = np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)
    y = np.round(y * 127) / 127
    return np.sign(y) * (256.0 ** np.abs(y) - 1) / 255


def a_law(x):
    """G.711 A-law by its formula (A 87.6, 8 bit)."""
    a, m = 87.6, np.abs(x)
    y = np.where(m < 1 / a, a * m, 1 + np.log(np.maximum(a * m, 1))) / (1 + np.log(a))
    y = np.round(y * 127) / 127
    z = np.where(y < 1 / (1 + np.log(a)), y * (1 + np.log(a)) / a, np.exp(y * (1 + np.log(a)) - 1) / a)
    return np.sign(x) * z


def telephone(x, rng):
    """A telephone channel."""
    y = sosfilt(butter(4, [300, 3400], "bandpass", fs=RATE, output="sos"), x)
    y = np.clip(resample(y, RATE, 8000), -1, 1)
    return resample((mu_law if rng.random() < 0.5 else a_law)(y), 8000, RATE)[: len(x)]


def through(codec, x):
    """A clip through a codec: each on its own, since what an encoder does depends on what it has heard before."""
    ending, options = codec
    with tempfile.TemporaryDirectory() as folder:
        source, coded = str(Path(folder) / "in.wav"), str(Path(folder) / f"coded.{ending}")
        soundfile.write(source, x, RATE)
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", source, *options, coded], check=True)
        raw = ["ffmpeg", "-v", "error", "-nostdin", "-i", coded, "-ac", "1", "-ar", str(RATE), "-f", "f32le", "-"]
        y = np.frombuffer(subprocess.run(raw, capture_output=True, check=True).stdout, np.float32)
    return fit(y, len(x))


def changed(out, folder, rows, channel):
    """A list's clips through `channel`, a function of samples and file, to the same names in OUT's `folder`; what exists is
    skipped. Returns the rows of a list of them."""
    for file, *_ in rows:
        if not (out / folder / file).exists():
            save(out / folder / file, channel(load(out / file), file))
    return [[f"{folder}/{file}", *rest] for file, *rest in rows]


def main():
    out = Path(sys.argv[1])
    header, *lines = (out / "test.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    channels = {
        "test_telephone": lambda x, file: telephone(x, rng_of("telephone", file)),
        "test_codec": lambda x, file: through(CODECS[seed_of("codec", file) % len(CODECS)], x),
    }
    for condition, channel in channels.items():
        table = changed(out, condition, rows, channel)
        write_text(out / f"{condition}.tsv", "\n".join([header, *map("\t".join, table)]) + "\n")
    print(f"conditions: {len(rows)} clips each")


if __name__ == "__main__":
    main()
