"""Prints the tensors of a safetensors file, and writes them to another."""

import sys

from safetensors.numpy import load_file, save_file

weights = load_file(sys.argv[1])
for name, tensor in sorted(weights.items()):
    print(name, tensor.dtype, tensor.shape)
save_file(weights, sys.argv[2])
