"""Codec2: a sinusoidal speech coder at 700 to 3200 bit/s, 8 kHz: `codec2-BITRATE`, by the programs c2enc and c2dec."""

import subprocess

import numpy as np

from common import RATE, fit, resample

MODES = ("3200", "2400", "1600", "1400", "1300", "1200", "700C")


def resynthesise(x, rng):
    mode = str(rng.choice(MODES))
    pcm = (np.clip(resample(x, RATE, 8000), -1, 32767 / 32768) * 32768).astype("<i2").tobytes()
    pcm += bytes(640)
    bits = subprocess.run(["c2enc", mode, "-", "-"], input=pcm, capture_output=True, check=True).stdout
    out = subprocess.run(["c2dec", mode, "-", "-"], input=bits, capture_output=True, check=True).stdout
    y = resample(np.frombuffer(out, "<i2").astype(np.float32) / 32768, 8000, RATE)
    return fit(y, len(x)), f"codec2-{mode}"
