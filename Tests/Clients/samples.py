"""Writes random samples: inputs.npy of a shape such as 3x32x32, and targets.npy: classes, or values."""

import sys

import numpy as np

shape = [int(size) for size in sys.argv[1].split("x")]
kind, count = sys.argv[2], int(sys.argv[3])
random = np.random.default_rng(1)
np.save("inputs.npy", random.normal(3, 2, [12, *shape]).astype(np.float32))
if kind == "classes":
    np.save("targets.npy", np.arange(12) % count)
else:
    np.save("targets.npy", random.normal(50, 9, [12, count]).astype(np.float32))
