"""Times the peers on the same clips of speech, in turn, and writes one table of ratios.

    python compare.py FOLDER PROGRAM [--rounds 15]

FOLDER holds what tests/fixtures/full_size.py made and model.onnx, bonafide's own export of the same weights; PROGRAM is
this folder's Rust program. `run.sh` does all of it. Only ratios within one run mean anything on a shared machine.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPEECH = HERE.parents[1] / "tests/fixtures/speech.wav"


def clip(path, seconds):
    """The fixture's speech, again and again."""
    with wave.open(str(SPEECH)) as file:
        frames = file.readframes(file.getnframes())
    wanted = int(seconds * 16_000) * 2
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", None))
        file.writeframes((frames * (wanted // len(frames) + 1))[:wanted])
    return path


class Peer:
    """A running program that answers paths with P(spoof)."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"}
        )

    def score(self, path):
        print(path, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended with {self.process.wait()}")
        return float(line)

    def peak(self):
        """The most memory it had, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ValueError("no VmHWM")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def cold(command, path):
    """Seconds from a program's start to its first verdict, with the files in the system's cache."""
    start = time.perf_counter()
    peer = Peer(command)
    peer.score(path)
    seconds = time.perf_counter() - start
    peer.stop()
    return seconds


def peak(command, path):
    peer = Peer(command)
    peer.score(path)
    megabytes = peer.peak()
    peer.stop()
    return megabytes


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    folder, program = arguments.folder, arguments.program
    ours, python = str(folder / "model.onnx"), [sys.executable, str(HERE / "peer.py")]
    peers = {
        "PyTorch eager, as the original": [*python, "eager", str(folder)],
        "ONNX Runtime from Python, on torch.onnx.export's graph": [*python, "onnxruntime", str(folder)],
        "tract": [program, "tract", ours],
        "bonafide on rten": [program, "rten", ours],
        "bonafide on ONNX Runtime": [program, "onnxruntime", ours],
    }
    window, short, long = (clip(folder / f"{n}s.wav", n) for n in (4, 3, 60))

    running = {name: Peer(command) for name, command in peers.items()}
    scores = {name: peer.score(window) for name, peer in running.items()}  # warms up, too
    spread = max(scores.values()) - min(scores.values())
    assert spread < 1e-4, f"the peers disagree: {scores}"
    seconds = {name: [] for name in peers}
    for _ in range(arguments.rounds):
        for name, peer in running.items():
            start = time.perf_counter()
            peer.score(window)
            seconds[name].append(time.perf_counter() - start)
    for peer in running.values():
        peer.stop()

    starts = {name: [] for name in peers}
    for _ in range(3):
        for name, command in peers.items():
            starts[name].append(cold(command, window))

    results = {
        name: {
            "window_seconds": statistics.median(seconds[name]),
            "cold_seconds": min(starts[name]),
            "peak_mb_3s": peak(command, short),
            "peak_mb_60s": peak(command, long),
        }
        for name, command in peers.items()
    }
    cpu = next(line.split(": ")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    flags = Path("/proc/cpuinfo").read_text()
    vector = next((name for name in ["avx512_vnni", "avx512f", "avx2"] if name in flags), "none")
    machine = f"{os.cpu_count()} x {cpu}, {vector}, {platform.system()}"
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine,
        "rounds": arguments.rounds,
        "largest_difference_of_p_spoof": spread,
        "peers": results,
    }
    (folder / "compare.json").write_text(json.dumps(report, indent=1) + "\n")

    eager = next(iter(results.values()))["window_seconds"]
    print(f"{report['date']}, {machine}; medians of {arguments.rounds} rounds, in turn\n")
    print("| | a window of 4 s | speed | start to first verdict | peak memory, 3 s clip | 60 s clip |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, r in results.items():
        print(
            f"| {name} | {r['window_seconds']:.2f} s | {eager / r['window_seconds']:.2f} × | {r['cold_seconds']:.2f} s "
            f"| {r['peak_mb_3s']:.0f} MB | {r['peak_mb_60s']:.0f} MB |"
        )


if __name__ == "__main__":
    main()
