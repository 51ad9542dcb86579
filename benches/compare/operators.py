"""Where ONNX Runtime's time goes: the share of each kind of operator in a run of one window.

    target/compare/venv/bin/python benches/compare/operators.py MODEL.onnx [RUNS]

With the machine's rate in large matrix products, taken in turn with the runs, as a yardstick.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import torch

THREADS, WINDOW = 2, 64_000


def main(model, runs=10):
    torch.set_num_threads(THREADS)
    folder = tempfile.TemporaryDirectory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(folder.name) / "profile")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    window = np.random.default_rng(1).normal(0, 0.1, (1, WINDOW)).astype(np.float32)
    a = torch.randn(2048, 2048)
    flop = 2 * 2048**3
    rates, seconds = [], []
    session.run(None, {name: window})
    a @ a
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, {name: window})
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        a @ a
        rates.append(flop / (time.perf_counter() - start) / 1e9)
    events = json.loads(Path(session.end_profiling()).read_text())
    spent = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values())
    print(f"{statistics.median(seconds):.4f} s a window; matrix products of 2048: {max(rates):.0f} GFLOP/s\n")
    print("| operator | share |\n|---|---:|")
    for op, microseconds in spent.most_common(12):
        print(f"| {op} | {100 * microseconds / total:.1f} % |")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
