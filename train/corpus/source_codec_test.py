"""Run by `test.sh`: that a copy comes in its original's codec, and is else the same."""

import unittest

import numpy as np

import source_codec
from common import RATE, resample, rng_of
from sources import DEBIAN


def voice(seconds):
    """A buzz of 120 Hz that comes and goes, with some breath."""
    t = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 60))
    breath = rng_of("breath").standard_normal(len(t))
    return (0.05 * (1 + np.sin(2 * np.pi * 3 * t)) * (buzz + 0.05 * breath)).astype(np.float32)


class SourceCodec(unittest.TestCase):
    def test_a_package_that_is_said_to_be_coded_has_its_codec(self):
        said = {"MP3": "MP3", "GSM": "WAV", "8 bit": "WAV"}
        for source in DEBIAN:
            for word, form in said.items():
                if word in source.what:
                    self.assertEqual(source_codec.of_speaker(f"{source.name}-x").format, form, source.name)
        self.assertIsNone(source_codec.of_speaker("festvox-ru"))
        self.assertEqual(source_codec.of_speaker("fillets-cs-m"), source_codec.of_speaker("tuxpaint-en"))

    def test_every_codec_keeps_the_voice_and_its_length_and_comes_out_the_same_again(self):
        x = voice(3)
        for _, codec, _ in source_codec.SOURCES:
            with self.subTest(codec=codec):
                a, b = (source_codec.through(codec, x, rng_of("c", 1)) for _ in range(2))
                self.assertTrue(np.array_equal(a, b))
                self.assertEqual(len(a), len(x))
                # What is below the codec's band, up to its delay, is nearly the same.
                low = [resample(y, RATE, 4000) for y in (x, a)]
                near = np.correlate(low[1][1000:], low[0][1000:-1000], "valid").max()
                norm = np.linalg.norm(low[0][1000:-1000]) * np.linalg.norm(low[1][1000:])
                self.assertGreater(near / norm, 0.8)
                self.assertEqual(np.array_equal(a, x), codec is None)

    def test_a_long_clip_and_a_silent_one_are_taken(self):
        for _, codec, _ in source_codec.SOURCES:
            self.assertEqual(len(source_codec.through(codec, voice(90), rng_of("c", 2))), 90 * RATE)
            self.assertLess(np.abs(source_codec.through(codec, np.zeros(RATE, np.float32), rng_of("c", 3))).max(), 0.01)
            self.assertEqual(len(source_codec.through(codec, np.zeros(0, np.float32), rng_of("c", 4))), 0)

    def test_text_to_speech_comes_in_all_of_them(self):
        drawn = [source_codec.any_source(rng_of("any", n)) for n in range(2000)]
        every = sum(weight for weight, _, _ in source_codec.SOURCES)
        for weight, codec, _ in source_codec.SOURCES:
            self.assertAlmostEqual(drawn.count(codec) / 2000, weight / every, delta=0.04)


if __name__ == "__main__":
    unittest.main()
