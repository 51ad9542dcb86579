"""LPCNet at 1733 bit/s, inside Debian's `libcodec2`: a recurrent network that draws one sample at a time. Held out for test.

The library draws from a sequence that all clips of a process share and that can't be set. So each clip has a process of its
own, this file's: samples of 16 bit from its input to its output.
"""

import ctypes
import subprocess
import sys

import numpy as np

LIBRARY = "libcodec2.so.1.0"


def resynthesise(x, rng):
    pcm = (np.clip(x, -1, 32767 / 32768) * 32768).astype(np.int16)
    command = [sys.executable, __file__, str(int(rng.integers(2)))]
    done = subprocess.run(command, input=pcm.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.int16).astype(np.float32) / 32768, "lpcnet"


def through(pcm, version):
    lib = ctypes.CDLL(LIBRARY)
    lib.lpcnet_freedv_create.restype = ctypes.c_void_p
    codec = ctypes.c_void_p(lib.lpcnet_freedv_create(version))
    size = lib.lpcnet_samples_per_frame(codec)
    padded = np.pad(pcm, (0, -len(pcm) % size + size))
    bits = ctypes.create_string_buffer(lib.lpcnet_bits_per_frame(codec))
    out = np.zeros_like(padded)
    for at in range(0, len(padded), size):
        frame = padded[at : at + size].copy()
        lib.lpcnet_enc(codec, frame.ctypes.data_as(ctypes.c_void_p), bits)
        lib.lpcnet_dec(codec, bits, out[at:].ctypes.data_as(ctypes.c_void_p))
    return out[: len(pcm)]


if __name__ == "__main__":
    sys.stdout.buffer.write(through(np.frombuffer(sys.stdin.buffer.read(), np.int16), int(sys.argv[1])).tobytes())
