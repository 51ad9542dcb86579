#!/usr/bin/env bash
# Makes small files of every kind for the fuzzer to start from, in fuzz/runs/TARGET. The corpus that grew from them is in
# fuzz/corpus; this is only needed to start again.
# Needs ffmpeg (with libmp3lame and libvorbis), Python 3, and cargo.
set -euo pipefail
cd "$(dirname "$0")"
fixtures=../tests/fixtures

place() {
    mkdir -p "runs/$1"
    echo "runs/$1/seed_$2"
}

# convert TARGET NAME SAMPLES OPTIONS...: encodes SAMPLES samples of speech from 1.0 s on, without names or dates.
convert() {
    local target=$1 name=$2 end=$((16000 + $3))
    shift 3
    ffmpeg -loglevel error -y -i "$fixtures/speech.wav" \
        -af "atrim=start_sample=16000:end_sample=$end,asetpts=N" \
        -map_metadata -1 -fflags +bitexact -flags:a +bitexact "$@" "runs/$name"
    mv "runs/$name" "$(place "$target" "$name")"
}

mkdir -p runs
for codec in u8 s16le s24le s32le f32le f64le mulaw; do
    convert wav "$codec.wav" 100 -c:a "pcm_$codec"
done
convert wav stereo.wav 60 -c:a pcm_s16le -ac 2
convert wav surround.wav 30 -c:a pcm_s24le -ac 6
head -c 400 "$fixtures/audio/piped_ffmpeg.wav" > "$(place wav ffmpeg.wav)"
head -c 401 "$fixtures/audio/piped_sox.wav" > "$(place wav sox.wav)"

for level in 0 5 12; do
    convert flac "level_$level.flac" 600 -c:a flac -metadata_header_padding 0 -compression_level "$level"
done
convert flac stereo.flac 400 -c:a flac -metadata_header_padding 0 -ac 2
convert flac wide.flac 300 -c:a flac -metadata_header_padding 0 -sample_fmt s32 -bits_per_raw_sample 24
convert flac surround.flac 100 -c:a flac -metadata_header_padding 0 -ac 6

convert mp3 tagged.mp3 1200 -c:a libmp3lame -b:a 32k
convert mp3 untagged.mp3 1200 -c:a libmp3lame -q:a 4 -write_xing 0 -id3v2_version 0
convert mp3 joint.mp3 2500 -c:a libmp3lame -b:a 64k -ac 2 -ar 44100 -joint_stereo 1
convert mp3 slow.mp3 1200 -c:a libmp3lame -b:a 8k -ar 8000

# A third of a Vorbis file is its codebooks, which small encoders' settings keep small.
convert ogg mono.ogg 1500 -c:a libvorbis -q:a -1 -ar 8000
convert ogg stereo.ogg 1500 -c:a libvorbis -q:a 0 -ac 2
convert ogg flac.ogg 400 -c:a flac -f ogg
convert ogg opus.ogg 800 -c:a libopus -b:a 8k

convert mp4 front.m4a 3000 -c:a aac -b:a 24k -movflags +faststart
convert mp4 back.m4a 3000 -c:a aac -b:a 24k -ac 2
convert mp4 pieces.m4a 6000 -c:a aac -b:a 16k -movflags +frag_keyframe+empty_moov+default_base_moof -frag_duration 100000
convert mp4 flac.mp4 300 -c:a flac -strict -2
convert mp4 mp3.mp4 1200 -c:a libmp3lame -b:a 16k

convert adts mono.aac 3000 -c:a aac -b:a 24k
convert adts stereo.aac 3000 -c:a aac -b:a 32k -ac 2 -ar 44100

for file in legacy.pt fairseq.pt bin/pytorch_model.bin sharded_bin/*.bin; do
    for path in "$fixtures"/sources/$file; do
        cp "$path" "$(place checkpoint "$(basename "$path")")"
    done
done
cp "$fixtures"/sources/plain.safetensors "$(place safetensors plain)"
for shard in 1 2 3; do
    cp "$fixtures/sources/sharded/model-0000$shard-of-00003.safetensors" "$(place safetensors "shard_$shard")"
done

python3 - "$fixtures" <<'PYTHON'
"""The pickles of checkpoints, JSON, score files, protocols, and the header of an ONNX file."""
import json
import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

fixtures = Path(sys.argv[1])


def seed(target, name, content):
    folder = Path("runs") / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed_{name}").write_bytes(content if isinstance(content, bytes) else content.encode())


for path in [*(fixtures / "sources").rglob("*.pt"), *(fixtures / "sources").rglob("*.bin"), fixtures / "tiny/tiny_numpy.pt"]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            seed("pickle", path.stem, archive.read(name))
# A state dict of one tensor, in every protocol.
for protocol in range(2, 6):
    text = pickle.dumps({"epoch": 1, "config": {"a": [1, 2.5, (None, True)], "b": {1, 2}, "c": 1 << 70}, "state_dict": {}}, protocol)
    seed("pickle", f"plain_{protocol}", text)
tensor = (
    b"\x80\x02}q\x00X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x18tQK\x00K\x06K\x04\x86K\x04K\x01\x86\x89ccollections\nOrderedDict\n)RtRs."
)
seed("pickle", "tensor", tensor)

for kind, path in [
    ("w", "layouts/wav2vec2_base/config.json"),
    ("m", "layouts/wavlm_base/config.json"),
    ("a", "layouts/antideepfake_base/config.json"),
    ("l", "lite/config.json"),
    ("p", "layouts/hubert_base/preprocessor_config.json"),
    ("i", "sources/sharded/model.safetensors.index.json"),
]:
    # Without white space, and without what has no bearing, it is a third of the size.
    content = json.loads((fixtures / path).read_text())
    seed("config", Path(path).parts[-2], kind + json.dumps(content, separators=(",", ":")))

for path in (fixtures / "evaluate").iterdir():
    if path.suffix in (".txt", ".csv"):
        prefix = "A" if path.stem == "asv" else ""
        seed("scores", path.stem, prefix + path.read_text())
        seed("scores", path.stem + "_tabs", prefix + path.read_text().replace(",", "\t"))
seed("scores", "quoted", '\ufefffile;label;cm-score;attack\n"a ""b""\nc";spoof;-inf;A07\nd;bonafide;1e300;-\n')

seed("protocols", "2019", "0LA_1 LA_E_1 - - bonafide\nLA_2 LA_E_2 - A07 spoof\n")
seed("protocols", "2021la", "1LA_9 LA_E_3 alaw ita_tx A07 spoof notrim eval\nLA_8 LA_E_4 none loc_tx bonafide bonafide notrim progress\n")
seed("protocols", "2021df", "2LA_23 DF_E_1 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -\n"
     "T8 DF_E_2 low_mp3 vcc2020 bonafide bonafide notrim hidden_track bonafide Task1 team - E\n")
seed("protocols", "5", "3E_1 E_0001 F C05 1 seed AC1 A17 spoof -\nE_2 E_0002 M - 0 - - bonafide bonafide -\n")
seed("protocols", "wild", "4file,speaker,label\n0.wav,Alec Guinness,spoof\n\"1 2.wav\",Alec,bona-fide\n")
seed("protocols", "list", "5file\tlabel\tspeaker\tsource\na.wav\tspoof\tx\ttts one\nb c.wav\tbonafide\t\t\n")


def field(number, content):
    """A protobuf field: bytes, or a number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content if isinstance(content, bytes) else content.encode()
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def value(name, *axes):
    shape = b"".join(field(1, field(1, axis) if isinstance(axis, int) else field(2, axis)) for axis in axes)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


entries = {
    "format_version": "1", "architecture": "wav2vec2", "sample_rate": "16000", "window_samples": "64000",
    "hop_samples": "32000", "labels": "bonafide,spoof", "normalization": "none", "threshold": "0.5", "precision": "f32",
}
metadata = b"".join(field(14, field(1, f"bonafide.{key}") + field(2, text)) for key, text in entries.items())
weight = field(1, 2) + field(1, 3) + field(2, 1) + field(8, "weight") + field(9, bytes(24))
stored = field(1, 4) + field(2, 1) + field(8, "far") + field(13, field(1, "location") + field(2, "model.onnx.data"))
stored += field(13, field(1, "offset") + field(2, "64")) + field(13, field(1, "length") + field(2, "16")) + field(14, 1)
node = field(1, "waveform") + field(2, "logits") + field(4, "MatMul") + field(5, field(1, "axis") + field(3, 1) + field(20, 2))
graph = field(1, node) + field(2, "g") + field(5, weight) + field(5, stored)
graph += field(11, value("waveform", "N", 64000)) + field(12, value("logits", "N", 2))
opset = field(8, field(1, "") + field(2, 17))
seed("onnx", "header", field(1, 8) + field(2, "pytorch") + field(7, graph) + opset + metadata)

seed("windows", "some", bytes(range(64)))
for name, text in [("a", bytes(range(256)) * 4), ("b", bytes([7, 99]) * 600), ("c", bytes(1200))]:
    seed("stream", name, text)
PYTHON

cargo run --quiet --release --manifest-path ../Cargo.toml -p bonafide-export -- \
    "$fixtures/lite" "$(place onnx small)" > /dev/null
