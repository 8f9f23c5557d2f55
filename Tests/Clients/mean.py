"""Checks that a file has the mean of the weights of checkpoints."""

import sys

import numpy as np
from safetensors.numpy import load_file

mean = load_file(sys.argv[1])
parts = [load_file(f"{path}/model.safetensors") for path in sys.argv[2:]]
assert len(parts) > 1 and all(part.keys() == mean.keys() for part in parts)
for name, tensor in mean.items():
    expected = np.mean([part[name].astype(np.float64) for part in parts], axis=0)
    assert np.array_equal(tensor, expected.astype(np.float32)), name
