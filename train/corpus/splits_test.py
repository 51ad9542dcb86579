"""Run by `test.sh`: what the splits and seeds promise."""

import unittest

import numpy as np

from common import rng_of, seed_of
from cut import LONGEST, RATE, SHORTEST, join_short, pieces, trim
from finish import finish
from leaks import equal_error_rate, gaps
from lists import package_of
from splits import HELD_OUT, KOKORO, split_of, split_of_voice


class Corpus(unittest.TestCase):
    def test_a_seed_depends_on_the_names_only(self):
        # printf a/1 | sha256sum, the first 16 digits
        self.assertEqual(seed_of("a", 1), 0x773232abe9343f0e)
        self.assertNotEqual(seed_of("a", 1), seed_of("a", 2))
        self.assertEqual(rng_of("x").random(), rng_of("x").random())

    def test_every_voice_is_in_one_split_and_all_splits_are_used(self):
        splits = [split_of(f"LibriSpeech-{n}") for n in range(2000)]
        self.assertEqual(splits, [split_of(f"LibriSpeech-{n}") for n in range(2000)])
        for split, low, high in (("train", 0.7, 0.8), ("dev", 0.05, 0.12), ("test", 0.13, 0.21)):
            self.assertTrue(low < splits.count(split) / 2000 < high, split)

    def test_held_out_engines_are_in_test_only(self):
        for engine in HELD_OUT:
            self.assertEqual({split_of_voice(engine, f"v{n}") for n in range(200)}, {"test"})
        self.assertEqual({split_of_voice("espeak", f"v{n}") for n in range(200)}, {"train", "dev", "test"})

    def test_a_blend_of_kokoros_voices_is_in_their_split(self):
        self.assertFalse(set(KOKORO["dev"]) & set(KOKORO["test"]))
        for split, voices in {**KOKORO, "train": ("af_heart", "em_alex", "pm_alex")}.items():
            names = [*voices, *(f"{a}-{b}" for a in voices for b in voices)]
            self.assertEqual({split_of_voice("kokoro", f"kokoro-{name}") for name in names}, {split})

    def test_a_long_recording_is_cut_at_its_pause(self):
        rng = np.random.default_rng(0)
        speech = 0.1 * rng.standard_normal(15 * RATE).astype(np.float32)
        speech[7 * RATE : 7 * RATE + RATE // 2] = 0
        cut = pieces(speech)
        self.assertEqual(len(cut), 2)
        self.assertTrue(all(SHORTEST * RATE <= len(c) <= LONGEST * RATE for c in cut))
        self.assertTrue(abs(len(cut[0]) / RATE - 7.25) < 0.4)

    def test_short_clips_are_joined_and_nothing_is_lost(self):
        clips = [(f"c{n}", np.full(RATE, 0.1, np.float32)) for n in range(7)] + [("long", np.ones(3 * RATE, np.float32))]
        joined = join_short(clips, np.random.default_rng(0))
        self.assertEqual([name for name, _ in joined], ["c0", "c3", "long", "c6"])
        self.assertTrue(all(len(x) >= RATE for _, x in joined))

    def test_silence_is_trimmed_to_what_is_asked(self):
        x = np.zeros(4 * RATE, np.float32)
        x[RATE : 3 * RATE] = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
        self.assertAlmostEqual(len(trim(x, 0.1, 0.2)) / RATE, 2.3, delta=0.06)

    def test_the_last_step_is_repeatable_and_bounded(self):
        x = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
        a, b = (finish(x, rng_of("f", 1)) for _ in range(2))
        self.assertTrue(np.array_equal(a, b))
        self.assertLess(np.abs(a).max(), 0.97)
        self.assertEqual(len(finish(np.zeros(3 * RATE), rng_of("f", 1))), 0)

    def test_the_equal_error_rate_of_known_cases(self):
        self.assertEqual(equal_error_rate(np.arange(10.0), np.arange(10.0, 20.0)), 0)
        same = equal_error_rate(np.zeros(4000), np.zeros(4000))
        self.assertAlmostEqual(same, 0.5, delta=0.03)

    def test_a_codecs_holes_are_seen(self):
        rng = np.random.default_rng(0)
        noise = rng.standard_normal(4 * RATE)
        spectrum = np.fft.rfft(noise)
        holes = spectrum.copy()
        for start in range(12_000, 28_000, 2000):  # from 3 to 7 kHz, 125 Hz in every 500
            holes[start : start + 500] *= 0.01
        self.assertLess(gaps(np.fft.irfft(holes)), gaps(noise) - 3)
        self.assertAlmostEqual(gaps(0.1 * noise), gaps(noise), delta=0.01)

    def test_a_source_is_named_by_its_package(self):
        self.assertEqual(package_of("fillets-cs-m"), "fillets-cs")


if __name__ == "__main__":
    unittest.main()
