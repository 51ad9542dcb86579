"""Copies the files of a corpus that reach the most for their size, up to a size.

    cap.py CONTROL_FILE FOLDER KILOBYTES

CONTROL_FILE is libFuzzer's of a merge: the names of all files, and which features each reaches.
"""

import heapq
import shutil
import sys
from hashlib import sha256
from pathlib import Path

control, folder, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) * 1000
lines = Path(control).read_text().splitlines()
paths = [Path(line) for line in lines[2 : 2 + int(lines[0])]]
features = {}
for line in lines[2 + len(paths) :]:
    kind, number, *rest = line.split()
    if kind == "FT":
        features[int(number)] = set(rest)

# The files by what they add, a byte: as more is reached a file only ever adds less, so a file is looked at anew only
# when it comes to the top.
worth = lambda number, reached: -len(features[number] - reached) / max(paths[number].stat().st_size, 1)
queue = [(worth(number, set()), number) for number in features if paths[number].stat().st_size > 0]
heapq.heapify(queue)
reached, size, kept = set(), 0, 0
while queue:
    _, number = heapq.heappop(queue)
    now = worth(number, reached)
    if now == 0:
        continue
    if queue and now > queue[0][0]:
        heapq.heappush(queue, (now, number))
        continue
    path = paths[number]
    if size + path.stat().st_size > most:
        continue
    size += path.stat().st_size
    kept += 1
    reached |= features[number]
    shutil.copy(path, folder / sha256(path.read_bytes()).hexdigest()[:16])
everything = set().union(*features.values())
print(f"{kept} files, {size} bytes, {len(reached)} of {len(everything)} features")
