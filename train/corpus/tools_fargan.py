"""Builds OUT/tools/fargan-0 ... fargan-6 from the Opus source inside the crate `opusic-sys`.

    tools_fargan.py OPUS_SOURCE OUT

Number 0 has the published weights; the others are relatives with every weight multiplied by noise drawn once.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from common import rng_of

SIGMAS = {1: 0.03, 2: 0.05, 3: 0.07, 4: 0.09, 5: 0.11, 6: 0.13}
ARRAY = re.compile(r"static const (float|opus_int8) (\w+)\[(\d+)\] = \{(.*?)\};", re.S)


def perturbed(text, number):
    """The C source with noise on its numbers.

    Quantised matrices get their noise on the scale of each output. `subias` is `bias` minus scale times a constant (it
    makes up for unsigned inputs), so it moves with both.
    """
    rng, sigma = rng_of("fargan-perturbed", number), SIGMAS[number]
    arrays = {m[2]: np.array([float(v) for v in m[4].split(",") if v.strip()]) for m in ARRAY.finditer(text)}
    new = {}
    for name, value in arrays.items():
        if name.endswith("_weights_float") or (name.endswith("_scale") and name[:-6] + "_subias" in arrays):
            new[name] = value * (1 + sigma * rng.standard_normal(len(value)))
    for name in list(new):
        if name.endswith("_scale"):
            base = name[:-6]
            bias, ratio = arrays.get(base + "_bias", 0.0), new[name] / arrays[name]
            new[base + "_subias"] = bias + (arrays[base + "_subias"] - bias) * ratio

    def replace(m):
        if m[2] not in new:
            return m[0]
        return f"static const {m[1]} {m[2]}[{m[3]}] = {{{','.join(f'{v:.9g}' for v in new[m[2]])}}};"

    return ARRAY.sub(replace, text)


def main():
    source, out = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    tools, build = out / "tools", out / "cache" / "opus"
    tools.mkdir(parents=True, exist_ok=True)
    if all((tools / f"fargan-{n}").exists() for n in (0, *SIGMAS)):
        return
    if not build.exists():
        part = build.with_name(".opus.part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(source, part)
        for tool in ("configure", "install-sh", "depcomp", "missing", "compile", "config.guess", "config.sub", "test-driver"):
            (part / tool).chmod(0o755)  # a crate's archive loses the permissions ...
        for n, name in enumerate(("aclocal.m4", "Makefile.in", "config.h.in", "configure")):
            os.utime(part / name, (time.time() - 60 + n,) * 2)  # ... and the times that keep make from wanting autotools
        part.rename(build)
    weights = build / "dnn" / "fargan_data.c"
    original = build / "dnn" / "fargan_data.original"
    if not original.exists():
        shutil.copy(weights, original)
    if not (build / "Makefile").exists():
        flags = ["--enable-dred", "--enable-deep-plc", "--disable-shared", "--disable-doc", "--disable-dependency-tracking"]
        subprocess.run(["./configure", *flags, "CFLAGS=-O2"], cwd=build, check=True, stdout=subprocess.DEVNULL)
    for number in (0, *SIGMAS):
        tool = tools / f"fargan-{number}"
        if tool.exists():
            continue
        text = original.read_text()
        weights.write_text(perturbed(text, number) if number else text)
        for stale in build.glob("dnn/*fargan_data*o"):
            stale.unlink()
        subprocess.run(["make", "-j2", "fargan_demo"], cwd=build, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(build / "fargan_demo", tool.with_suffix(".part"))
        tool.with_suffix(".part").rename(tool)


if __name__ == "__main__":
    main()
