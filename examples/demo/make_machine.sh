#!/bin/sh
# Makes machine.flac, the demo's voice of a machine. Needs espeak-ng (1.51) and ffmpeg.
# Whatever a program says of our own text is ours to give away: under the licence of this repository.
set -eu
cd "$(dirname "$0")"
text="Good morning. Nobody ever spoke this sentence. \
A program put it together, sound by sound, from rules that were written down many years ago."
espeak-ng -v en-gb -s 155 --stdout "$text" |
    ffmpeg -loglevel error -y -f wav -i - -ar 16000 -ac 1 -sample_fmt s16 -bitexact -compression_level 12 machine.flac
