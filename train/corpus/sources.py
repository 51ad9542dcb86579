"""Bona fide speech: which packages, whose voice each file is, how it is read, and its licence.

A recording is (speaker, name, samples at 16 kHz). A speaker is the finest identity the package tells; where it tells
none, the package, or the folder of one language, counts as one speaker, so that no voice can be in two splits.
"""

import csv
import io
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import soundfile

from common import RATE, load, load_with_ffmpeg, loudest_channel, resample


@dataclass
class Source:
    """One package of recordings."""

    name: str
    package: str
    licence: str
    what: str
    read: Callable  # folder of the unpacked package -> iterator of (speaker, name, function giving samples)


def files(root, *endings):
    """All files below `root` with these endings, in a fixed order."""
    return sorted(p for p in Path(root).rglob("*") if p.is_file() and p.suffix.lower() in endings)


def lazy(path, *options):
    """Reading is put off until the clip is wanted."""
    return (lambda: load_with_ffmpeg(path, *options)) if options else (lambda: load(path))


def stem(path, root):
    """A name that is unique below `root`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", str(path.relative_to(root).with_suffix("")))[-60:].strip("_")


def asterisk(language):
    """Prompts of the Asterisk telephone exchange, G.722 at 16 kHz."""

    def read(root):
        for p in files(root, ".g722"):
            yield f"asterisk-{language}", stem(p, root), lazy(p, "-f", "g722")

    return read


def one_voice(speaker, *endings):
    """A package of one person's files."""

    def read(root):
        for p in files(root, *endings):
            yield speaker, stem(p, root), lazy(p)

    return read


def festvox_ru(root):
    """The recordings from which the Russian unit-selection voice was cut."""
    for p in files(root, ".wav"):
        yield "festvox-ru", p.stem, lazy(p)


def fillets(language):
    """Two actors, the small (m) and the big fish (v), and other creatures."""

    def read(root):
        for p in files(root, ".ogg"):
            parts = p.stem.split("-")
            if "music" in p.parts or len(parts) < 2:
                continue
            who = parts[1] if parts[1] in ("m", "v") else "others"
            yield f"fillets-{language}-{who}", stem(p, root), lazy(p)

    return read


def tuxpaint(root):
    """What a stamp shows, said by volunteers: a voice or a few per language. The files without a language are English."""
    for p in files(root, ".ogg"):
        found = re.search(r"_desc(?:_([A-Za-z@_]+))?$", p.stem)
        if found:
            yield f"tuxpaint-{found.group(1) or 'en'}", stem(p, root), lazy(p)


def by_folder(prefix, depth, *endings, skip=()):
    """A voice per folder: `depth` counts the folder's place from the file's end."""

    def read(root):
        for p in files(root, *endings):
            folder = p.parts[-1 - depth]
            if folder not in skip:
                yield f"{prefix}-{folder}", stem(p, root), lazy(p)

    return read


def queen(root):
    """Flight of the Amazon Queen: actors' MP3 clips inside one archive with 21-byte index entries.

    A name is a room's number, a line's number and who speaks: J is the hero, P another person of that room.
    """
    for archive in Path(root).rglob("queen.1c"):
        data = archive.read_bytes()
        entries = []
        for match in re.finditer(rb"[0-9A-Z]{6,8}\.SB\x00*", data[: min(len(data), 600_000)]):
            name = data[match.start() : match.start() + 12].rstrip(b"\x00").decode("ascii", "replace")
            offset, size = struct.unpack(">II", data[match.start() + 13 : match.start() + 21])
            if 0 < size < 2_000_000 and offset + size <= len(data):
                entries.append((name, offset, size))
        for name, offset, size in entries:
            hero = "J" in name[6:8]
            speaker = "queen-hero" if hero else f"queen-room{name[:2]}"
            yield speaker, name.split(".")[0], lambda o=offset, s=size: mp3_clip(data[o : o + s])


def mp3_clip(clip):
    """An MP3 clip in memory, after the few bytes of header that the archive puts before it."""
    start = next((i for i in range(0, 64) if clip[i] == 0xFF and clip[i + 1] & 0xE0 == 0xE0), 0)
    x, rate = soundfile.read(io.BytesIO(clip[start:]), dtype="float32", always_2d=True)
    return resample(loudest_channel(x), rate, RATE)


def pcm8(data, rate):
    """Unsigned 8-bit samples."""
    return resample((np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128, rate, RATE)


def drascula(language):
    """Drascula: raw 8-bit samples at 11,025 Hz."""

    def read(root):
        for p in files(root, ".als"):
            yield f"drascula-{language}", p.stem, lambda p=p: pcm8(p.read_bytes(), 11_025)

    return read


def warzone(root):
    """Warzone 2100: briefings and command acknowledgements, in a zip archive."""
    speech = ("/cmndrvoc/", "/missmesg/", "/tutorial/", "/trnsppil/", "/vtoltalk/", "sequenceaudio/")
    for archive in Path(root).rglob("base.wz"):
        with zipfile.ZipFile(archive) as z:
            for name in sorted(z.namelist()):
                found = next((s.strip("/") for s in speech if s in "/" + name), None)
                if found and name.endswith(".ogg"):
                    yield f"warzone-{found}", re.sub(r"\W+", "_", name[:-4]), lambda b=z.read(name): ogg_clip(b)


def ogg_clip(data):
    """An encoded clip in memory."""
    x, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return resample(loudest_channel(x), rate, RATE)


def codec2_examples(root):
    """Originals of the codec2 examples at 8 kHz (and one at 16 kHz); files that a codec or a modem made are left out."""
    keep = ("hts1a", "hts2a", "morig", "forig", "mmt1", "kristoff", "vk5qi", "ve9qrp", "big_dog", "cross", "g3plx")
    for p in files(root, ".raw", ".wav"):
        if p.stem in keep and p.suffix == ".raw":
            yield f"codec2-{p.stem}", p.stem, lazy(p, "-f", "s16le", "-ar", "8000", "-ac", "1")
        elif p.stem in ("speech_orig_16k", "wia_16kHz", "david4", "vk2tpm_004") and p.suffix == ".wav":
            yield f"codec2-{p.stem}", p.stem, lazy(p)


def pocketsphinx(root):
    """A LibriVox reader, and short commands of another speaker."""
    for p in files(root, ".wav", ".raw"):
        speaker = "pocketsphinx-austen" if "librivox" in p.parts else "pocketsphinx-commands"
        yield speaker, stem(p, root), lazy(p, *(("-f", "s16le", "-ar", "16000", "-ac", "1") if p.suffix == ".raw" else ()))


CC_BY_SA = "CC-BY-SA-3.0 and CC-BY-3.0"

# Serbian spellings share one set of recordings, which "sr" has.
SAME = ("sr@ijekavian", "sr@ijekavianlatin", "sr@latin")

DEBIAN = [
    *[
        Source(f"asterisk-{l}", f"asterisk-core-sounds-{l}-g722", CC_BY_SA, "telephone prompts, G.722", asterisk(l))
        for l in ("en", "es", "fr", "it", "ru")
    ],
    Source("festvox-ru", "festvox-ru", "BSD-like", "recordings of a unit-selection voice", festvox_ru),
    Source("fillets-cs", "fillets-ng-data-cs", "GPL-2", "two Czech actors in a game", fillets("cs")),
    Source("fillets-nl", "fillets-ng-data-nl", "GPL-2", "two Dutch actors in a game", fillets("nl")),
    Source("tuxpaint", "tuxpaint-stamps-default", "GPL-2", "volunteers in a dozen languages", tuxpaint),
    Source("klettres", "klettres-data", "GPL-2+", "letters and syllables in 20 languages", by_folder("klettres", 2, ".ogg")),
    Source("prompt-it", "asterisk-prompt-it-menardi-wav", "CC-BY-SA-3.0", "telephone prompts, 8 kHz", one_voice("prompt-it", ".wav")),
    Source("prompt-fr", "asterisk-prompt-fr-armelle", "GPL", "telephone prompts, GSM", one_voice("prompt-fr", ".gsm")),
    Source("prompt-es", "asterisk-prompt-es-co", "GPL", "telephone prompts, GSM", one_voice("prompt-es", ".gsm")),
    Source("queen", "flight-of-the-amazon-queen", "Flight-of-the-Amazon-Queen-License (free distribution)", "actors in a game, MP3 at 11 kHz", queen),
    Source("drascula-en", "drascula", "Drascula-License (free distribution)", "actors in a game, 8 bit at 11 kHz", drascula("en")),
    Source("drascula-it", "drascula-italian", "Drascula-License (free distribution)", "actors in a game, 8 bit at 11 kHz", drascula("it")),
    Source("drascula-es", "drascula-spanish", "Drascula-License (free distribution)", "actors in a game, 8 bit at 11 kHz", drascula("es")),
    Source("ktuberling", "ktuberling-data", "GPL-2+", "names of things, volunteers", by_folder("ktuberling", 1, ".ogg", ".wav", ".opus", skip=SAME)),
    Source(
        "hedgewars",
        "hedgewars-data",
        "GPL-2",
        "shouts in a game, a voice per folder",
        lambda root: (
            r for r in by_folder("hedgewars", 1, ".ogg", skip=("Robot", "Singer", "Sounds", "Music"))(root)
        ),
    ),
    Source("warzone", "warzone2100-data", "GPL-2+", "briefings in a game", warzone),
    Source("horizons", "unknown-horizons", "CC-BY-SA-3.0 / GPL-2+", "a narrator in three languages", lambda root: (
        r for r in by_folder("horizons", 3, ".ogg")(root) if "voice" in r[1]
    )),
    Source("codec2", "codec2-examples", "LGPL-2.1", "speech codec test sentences, 8 kHz", codec2_examples),
    Source("pocketsphinx", "pocketsphinx-testdata", "GPL-2+ / BSD-3-Clause", "LibriVox and commands", pocketsphinx),
]


def speech_folder(folder):
    """A folder with `labels.tsv` (`file label source speaker`): its bona fide rows."""
    folder = Path(folder)
    with open(folder / "labels.tsv", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t"):
            if row["label"] == "bonafide":
                yield f"{row['source']}-{row['speaker']}", Path(row["file"]).stem, lazy(folder / row["file"])


def plain_folder(folder):
    """LibriSpeech (speaker/chapter/*.flac), VCTK (pNNN/*), LJSpeech (wavs/*) or any tree whose first folder is the speaker."""
    folder = Path(folder)
    for p in files(folder, ".flac", ".wav", ".ogg", ".mp3"):
        parts = p.relative_to(folder).parts
        who = folder.name if len(parts) == 1 or parts[0] == "wavs" else parts[0]
        yield f"{folder.name}-{who}", stem(p, folder), lazy(p)
