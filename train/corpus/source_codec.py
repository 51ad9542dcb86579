"""The codec that a source's recordings came in, once more for what is made of them.

Most packages' recordings are Ogg Vorbis or MP3. A vocoder wipes their traces away, and text to speech never had any: a network
then learns that a codec's traces are a person. (One did: it missed 18 % of other people's synthetic clips as they were, and
91 % after MP3.) So a copy goes through its original's kind of codec again, and text to speech through one that is drawn as
often as people's clips came in it. G.722, which changes little, is left out, and so is what was never coded.
"""

import io
from typing import NamedTuple

import numpy as np
import soundfile

from common import RATE, drawn, fit, resample


class Codec(NamedTuple):
    """What libsndfile writes; its compression, from 0 to 1, is drawn between `least` and `most`."""

    rate: int
    format: str
    subtype: str
    least: float = 0.0
    most: float = 0.0


NONE = None
# Weight: how many hundreds of the corpus's clips came in it. Names: how a speaker's begins. The rates and compressions are the
# packages' own where they say; LibriVox's, of which LibriSpeech and LJSpeech are cut, is 64 to 128 kbit/s.
SOURCES = [
    (46, Codec(22_050, "OGG", "VORBIS", 0.5, 0.75), ("fillets", "tuxpaint")),
    (13, Codec(44_100, "OGG", "VORBIS", 0.4, 0.8), ("klettres", "ktuberling", "hedgewars", "warzone", "horizons")),
    (23, Codec(11_025, "MP3", "MPEG_LAYER_III", 0.8, 0.88), ("queen",)),
    (14, Codec(22_050, "MP3", "MPEG_LAYER_III", 0.3, 0.65), (
        "LibriSpeech", "LJSpeech", "pocketsphinx-austen", *(f"{part}-{kind}" for part in ("train", "dev", "test") for kind in ("clean", "other")),
    )),
    (15, Codec(11_025, "WAV", "PCM_U8"), ("drascula",)),
    (4, Codec(8000, "WAV", "GSM610"), ("prompt-fr", "prompt-es")),
    (22, NONE, ()),
]  # fmt: skip


def of_speaker(speaker):
    """The codec of a speaker's recordings, or none."""
    return next((codec for _, codec, names in SOURCES if speaker.startswith(names)), NONE)


def any_source(rng):
    """The codec of a source that is drawn, or none."""
    return drawn([(weight, codec) for weight, codec, _ in SOURCES], rng)


def through(codec, x, rng):
    """Samples at 16 kHz through a codec, at a recording's usual level."""
    if codec is NONE or not len(x):
        return x
    settings = {}
    if codec.most:
        settings["compression_level"] = rng.uniform(codec.least, codec.most)
    if codec.format == "MP3":
        settings["bitrate_mode"] = "CONSTANT"
    y = resample(x * (0.9 / max(1e-5, np.abs(x).max())), RATE, codec.rate)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", codec.rate, 1, codec.subtype, format=codec.format, **settings) as coded:
        for start in range(0, len(y), codec.rate):  # libvorbis crashes on a minute at once
            coded.write(np.clip(y[start : start + codec.rate], -1, 1))
    file.seek(0)
    y, rate = soundfile.read(file, dtype="float32")
    return fit(resample(y, rate, RATE), len(x))
