"""What job.py logs, for the tests too, which have not what it imports."""

import math

TIME = 1_700_000_000.123456
VALUES = [0.5, -1.25e-30, 3.0e38, math.nan, math.inf, -math.inf, 0.0, -0.0, 1 / 3]
STEPS = [0, 1, 2, 1, 10**15, 5, -6, 7, 8]
NUMBERS = [0.25, -1.5, 0.0, 3.75, 2.5, 2.5, -7.0, 0.125]
TEXT = "größe 🙂\n| a | b |\n|---|---|"
HPARAMS = {"lr": 0.1, "layers": 3, "act": "relu", "bias": True}
WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
