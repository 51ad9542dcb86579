"""What the vocoders that are driven by a mel share: where their packages lie, how a recording goes through one, its relatives."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from scipy.ndimage import gaussian_filter1d

from common import RATE, resample, rng_of
from mel import HOP, SIZE, log_mel
from mel import RATE as MEL_RATE

# Rate, frame and hop of the usual mel.
USUAL = (MEL_RATE, SIZE, HOP)
WHEELS = None


def use(wheels):
    """Where the packages lie."""
    global WHEELS
    WHEELS = Path(wheels)


def package(pattern):
    return next(WHEELS.glob(pattern))


def session(graph, name, noise):
    """Runs a graph, on one core; `noise` times a standard normal, seeded by `name`, makes a relative of it."""
    if noise:
        rng, changed = rng_of(*name), onnx.load_from_string(graph)
        for weight in changed.graph.initializer:
            w = numpy_helper.to_array(weight)
            if w.dtype == np.float32 and w.size > 1:
                w = w * (1 + noise * rng.standard_normal(w.shape))
                weight.CopyFrom(numpy_helper.from_array(w.astype(np.float32), weight.name))
        graph = changed.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def again(session, x, native=USUAL, rate=RATE, change=lambda mel: mel, out=None):
    """Samples at `rate` to a vocoder's `native` mel, `change` it, and back to samples at `out`."""
    inner = native[0]
    mel = change(log_mel(resample(x, rate, inner), *native))
    y = session.run(None, {"mel": mel[None].astype(np.float32)})[0].reshape(-1)
    return resample(y, inner, out or rate)


def blurred(mel, rng):
    """What an acoustic model's regression does to a mel."""
    kind = rng.integers(3)
    if kind == 0:
        mel = gaussian_filter1d(mel, rng.uniform(0.6, 1.6), axis=1)
    elif kind == 1:
        keep = int(rng.integers(2, 4))
        at = np.arange(mel.shape[1])
        mel = np.array([np.interp(at, at[::keep], band[::keep]) for band in mel])
    else:
        mel = gaussian_filter1d(gaussian_filter1d(mel, 0.8, axis=0), rng.uniform(0.4, 1.0), axis=1)
    return mel + rng.uniform(0.02, 0.15) * rng.standard_normal(mel.shape)
