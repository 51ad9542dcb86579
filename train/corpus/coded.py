"""A third of the training list again through real codecs, both classes alike: OUT/train_coded.tsv has the list and these.

    coded.py OUT

The trainer has G.711 and rough likenesses of other codecs; what calls and messages are sent in, GSM and Speex above all,
changes a voice more than those do. Which clips and which codec is drawn from the clip's name; what exists is skipped. Files:
OUT/coded/..., with the source, speaker and recording of the original.
"""

import sys
from pathlib import Path

from common import drawn, rng_of, seed_of, write_text
from conditions import changed, through

SHARE = 0.35

def kbit(encoder, *rates, options=()):
    """An encoder's options at each of some bit rates."""
    return [["-c:a", encoder, "-b:a", f"{rate}k", *options] for rate in rates]


# (weight, (file ending, ffmpeg options of the encoder, one of which is drawn)). Half are telephony's; Vorbis and MP3, which most
# of the bona fide clips came in, are a third.
CODECS = [
    (4, ("gsm", [["-c:a", "libgsm", "-ar", "8000"]])),
    (4, ("ogg", [["-c:a", "libspeex", "-ar", "8000", "-cbr_quality", str(q)] for q in (2, 3, 4, 5, 6, 8)])),
    (2, ("wav", kbit("g726", 24, 32, 40, options=("-ar", "8000")))),
    (2, ("wav", [["-c:a", "g722"]])),
    (2, ("ogg", [["-c:a", "libspeex", "-ar", "16000", "-cbr_quality", str(q)] for q in (3, 5, 7, 9)])),
    (3, ("ogg", kbit("libopus", 8, 10, 14, 16, 24, 32, options=("-application", "voip")))),
    (5, ("mp3", kbit("libmp3lame", 16, 32, 40, 56, 64))),
    (2, ("m4a", kbit("aac", 20, 32, 48, 64))),
    (4, ("ogg", [["-c:a", "libvorbis", "-q:a", str(q)] for q in (-1, 0, 1, 2, 3, 5)])),
    (1, ("sbc", kbit("sbc", 64, 96))),
]


def codec_of(file):
    """The codec that is drawn for a clip: file ending and encoder's options."""
    rng = rng_of("codec", file)
    ending, choices = drawn(CODECS, rng)
    return ending, choices[int(rng.integers(len(choices)))]


def main():
    out = Path(sys.argv[1])
    header, *lines = (out / "train.tsv").read_text().splitlines()
    mine = [row for row in (line.split("\t") for line in lines) if seed_of("coded", row[0]) < SHARE * 2**64]
    coded = changed(out, "coded", mine, lambda x, file: through(codec_of(file), x))
    write_text(out / "train_coded.tsv", "\n".join([header, *lines, *map("\t".join, coded)]) + "\n")
    print(f"coded: {len(coded)} clips")


if __name__ == "__main__":
    main()
