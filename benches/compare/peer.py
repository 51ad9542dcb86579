"""A peer of the comparison: loads a model, then answers each line, the path of a WAV file, with its P(spoof).

    python peer.py eager FOLDER       the original's way: PyTorch eager, all windows of a clip in one batch
    python peer.py onnxruntime FOLDER ONNX Runtime on what torch.onnx.export made, a window at a time

FOLDER is what tests/fixtures/full_size.py makes.
"""

import sys
import wave
from pathlib import Path

import numpy as np

WINDOW, HOP, THREADS = 64_000, 32_000, 2


def windows(path):
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32_768
    starts = [0]
    while starts[-1] + WINDOW < len(samples) or (len(samples) > WINDOW and starts[-1] + WINDOW == len(samples)):
        starts.append(starts[-1] + HOP)
    cut = np.zeros((len(starts), WINDOW), np.float32)
    for window, start in zip(cut, starts):
        piece = samples[start : start + WINDOW]
        window[: len(piece)] = piece
    return cut


def spoof(logits):
    return float(np.mean(1 / (1 + np.exp((logits[:, 0] - logits[:, 1]).astype(np.float64)))))


def eager(folder):
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/fixtures"))
    from full_size import base_config
    from make_models import make_detector

    torch.set_num_threads(THREADS)
    model = make_detector(base_config())
    model.load_state_dict(torch.load(folder / "stage2_best.pt", weights_only=True)["model_state_dict"])
    model.eval()

    def score(path):
        with torch.inference_mode():
            return spoof(model(torch.from_numpy(windows(path))).numpy())

    return score


def onnx_runtime(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(folder / "torch.onnx"), options, providers=["CPUExecutionProvider"])

    def score(path):
        return spoof(np.concatenate([session.run(None, {"waveform": window[None]})[0] for window in windows(path)]))

    return score


if __name__ == "__main__":
    load = {"eager": eager, "onnxruntime": onnx_runtime}[sys.argv[1]]
    score = load(Path(sys.argv[2]))
    for line in sys.stdin:
        print(score(line.rstrip("\n")), flush=True)
