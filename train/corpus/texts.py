"""Sentences to speak, from Debian's fortune packages: language -> sentences in a fixed random order."""

import re
from functools import lru_cache

from bonafide import download
from common import rng_of

PACKAGES = {
    "en": ["fortunes", "fortunes-min"], "de": ["fortunes-de"], "it": ["fortunes-it"], "es": ["fortunes-es"],
    "cs": ["fortunes-cs"], "ru": ["fortunes-ru"], "pl": ["fortunes-pl"], "pt": ["fortunes-br"], "bg": ["fortunes-bg"],
}  # fmt: skip
DROPPED = {"off", "ascii-art", "asciiart", "art", "startrek", "channel-debian.fortunes", "perl", "translations"}


@lru_cache(maxsize=None)
def sentences(cache, language):
    """All sentences of 20 to 160 characters of letters and plain punctuation."""
    found = set()
    for package in PACKAGES[language]:
        for path in sorted(download(package, cache).rglob("games/fortunes/**/*")):
            if not path.is_file() or path.suffix in (".dat", ".u8") or DROPPED & set(path.parts[-3:]):
                continue
            raw = path.read_bytes()
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                continue
            for fortune in re.split(r"\n%\n", text):
                fortune = re.sub(r"\s+", " ", re.sub(r"\n\s*--.*", "", fortune, flags=re.S))
                for sentence in re.split(r"(?<=[.!?]) ", fortune):
                    if 20 <= len(sentence) <= 160 and re.fullmatch(r"[^\W\d_][^\d_<>{}\[\]\\/|=+*#@~^$%\"]*[.!?]", sentence):
                        found.add(sentence.strip())
    listed = sorted(found)
    order = rng_of("texts", language).permutation(len(listed))
    return [listed[i] for i in order]


def passage(cache, language, name, seconds):
    """Sentences that take about `seconds` to say, drawn by name."""
    rng, pool = rng_of("passage", name), sentences(cache, language)
    text = pool[int(rng.integers(len(pool)))]
    while len(text) < 13 * seconds:
        text += " " + pool[int(rng.integers(len(pool)))]
    return text[: int(18 * seconds) + 40].rsplit(" ", 1)[0]
