"""Spoof engines for copy synthesis.

Each engine is a function `(samples at 16 kHz, generator) -> (samples at 16 kHz, source)`, where `source` is the label of
the variant that the generator chose. One file per family.
"""
