"""Which speakers and which engines are for training, development and test.

Every voice is in one split, and a copy is in its original's split. Test has two kinds of spoof: engines that training has
seen, on voices that it has not; and engines that it has never seen, on voices that it has not.
"""

from common import seed_of

# Packages of one or a few voices are placed by hand, so that every split has several languages, channels and styles.
PLACED = {
    "asterisk-en": "train", "asterisk-fr": "train", "asterisk-ru": "train", "asterisk-it": "dev", "asterisk-es": "test",
    "prompt-it": "train", "prompt-fr": "train", "prompt-es": "test",
    "festvox-ru": "test",
    "fillets-cs-m": "train", "fillets-cs-v": "train", "fillets-cs-others": "train",
    "fillets-nl-m": "test", "fillets-nl-v": "dev", "fillets-nl-others": "dev",
    "tuxpaint-ro": "test", "tuxpaint-lt": "test", "tuxpaint-da": "dev", "tuxpaint-bg": "train", "tuxpaint-ca": "train",
    "tuxpaint-el": "train", "tuxpaint-es": "train", "tuxpaint-fr": "train", "tuxpaint-ru": "train",
    "drascula-en": "train", "drascula-it": "train", "drascula-es": "train", "queen-hero": "train",
    "pocketsphinx-austen": "test",
}  # fmt: skip

# Engines that are in test only. Kokoro and hibari, which was distilled from it, are one family, and both in training.
HELD_OUT = ("piper", "lpcnet", "festival-hts", "festival-clunits")

# Kokoro's voices for test and development; all others, and with them those that share a name, are for training. A blend is
# of voices of one split.
KOKORO = {
    "test": (
        "af_bella", "af_sky", "am_adam", "am_michael", "bf_emma", "bm_george", "ff_siwis", "hf_alpha", "im_nicola",
        "jf_nezumi", "jm_kumo", "zf_xiaoni", "zm_yunxi", "zm_yunxia",
    ),
    "dev": ("af_nova", "am_liam", "bf_lily", "bm_lewis", "zf_xiaoyi"),
}  # fmt: skip


def split_of(speaker):
    """`train`, `dev` or `test` for a voice."""
    if speaker in PLACED:
        return PLACED[speaker]
    draw = seed_of("split", speaker) % 1000
    return "test" if draw < 170 else "dev" if draw < 250 else "train"


def split_of_voice(engine, voice):
    """The split of a text-to-speech voice."""
    if engine in HELD_OUT:
        return "test"
    if engine == "kokoro":
        return next((split for split, voices in KOKORO.items() if set(voice.split("-")) & set(voices)), "train")
    if engine == "hibari":  # has one voice
        return "train"
    draw = seed_of("voice", engine, voice) % 1000
    return "test" if draw < 200 else "dev" if draw < 300 else "train"
