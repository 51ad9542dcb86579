"""LPCNet at 1733 bit/s, inside Debian's `libcodec2`: a recurrent network that draws one sample at a time. Held out for test."""

import ctypes

import numpy as np

LIBRARY = "libcodec2.so.1.0"


def resynthesise(x, rng):
    lib = ctypes.CDLL(LIBRARY)
    lib.lpcnet_freedv_create.restype = ctypes.c_void_p
    codec = ctypes.c_void_p(lib.lpcnet_freedv_create(int(rng.integers(2))))
    try:
        size = lib.lpcnet_samples_per_frame(codec)
        pcm = (np.clip(x, -1, 32767 / 32768) * 32768).astype(np.int16)
        pcm = np.pad(pcm, (0, -len(pcm) % size + size))
        bits = ctypes.create_string_buffer(lib.lpcnet_bits_per_frame(codec))
        out = np.zeros_like(pcm)
        for at in range(0, len(pcm), size):
            frame = pcm[at : at + size].copy()
            lib.lpcnet_enc(codec, frame.ctypes.data_as(ctypes.c_void_p), bits)
            lib.lpcnet_dec(codec, bits, out[at:].ctypes.data_as(ctypes.c_void_p))
    finally:
        lib.lpcnet_freedv_destroy(codec)
    return out[: len(x)].astype(np.float32) / 32768, "lpcnet"
