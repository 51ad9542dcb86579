"""LPCNet (a recurrent neural vocoder that samples one value at a time), held out for test: Debian's `libcodec2`/`liblpcnetfreedv`."""


def resynthesise(x, rng):
    raise NotImplementedError
