"""Writes linear_algebra.json: results and gradients of torch.linalg in float64.

    venv/bin/python Tests/Goldens/make_goldens_linear_algebra.py

Each case has its inputs, `out/i`, and the gradients of the sum of all results times fixed weights.
Signs of vectors are free, so those cases take squares.
"""
import json
import os

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
L = torch.linalg


def square(*batch, n=4):
    return torch.randn(*batch, n, n) + 3 * torch.eye(n)


def positive(*batch, n=4):
    a = torch.randn(*batch, n, n)
    return a @ a.mT + torch.eye(n)


def triangle():
    return square().tril()


singular = torch.tensor([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
deficient = torch.outer(torch.randn(5), torch.randn(3)) + torch.outer(torch.randn(5), torch.randn(3))

cases = {
    "solve": ([square(2), torch.randn(2, 4, 3)], L.solve),
    "solve_vectors": ([square(2), torch.randn(2, 4)], L.solve),
    "inverse": ([square(2, 3)], L.inv),
    "triangular_lower": ([triangle(), torch.randn(4, 2)],
                         lambda a, b: L.solve_triangular(a, b, upper=False)),
    "triangular_right": ([square(2).triu(), torch.randn(2, 3, 4)],
                         lambda a, b: L.solve_triangular(a, b, upper=True, left=False)),
    "triangular_unit": ([square().triu(), torch.randn(4, 2)],
                        lambda a, b: L.solve_triangular(a, b, upper=True, unitriangular=True)),
    "determinant": ([square(3)], L.det),
    "determinant_singular": ([singular], L.det),
    "slogdet": ([torch.randn(3, 4, 4)], L.slogdet),
    "logdet": ([positive(2)], torch.logdet),
    "cholesky": ([positive(2)], L.cholesky),
    "cholesky_upper": ([positive()], lambda a: L.cholesky(a, upper=True)),
    "qr_tall": ([torch.randn(2, 5, 3)], L.qr),
    "qr_wide": ([torch.randn(3, 5)], L.qr),
    "eigh": ([positive(2)], lambda a: (L.eigh(a)[0], L.eigh(a)[1].square())),
    "svd_tall": ([torch.randn(2, 5, 3)],
                 lambda a: [f(x) for f, x in zip((torch.square, torch.clone, torch.square),
                                                 L.svd(a, full_matrices=False))]),
    "svd_wide": ([torch.randn(3, 5)],
                 lambda a: [f(x) for f, x in zip((torch.square, torch.clone, torch.square),
                                                 L.svd(a, full_matrices=False))]),
    "pinverse": ([torch.randn(2, 5, 3)], L.pinv),
    "pinverse_wide": ([torch.randn(3, 5)], L.pinv),
    "pinverse_deficient": ([deficient], L.pinv),
    "lstsq": ([torch.randn(5, 3), torch.randn(5, 2)], lambda a, b: L.lstsq(a, b).solution),
    "matrix_power": ([square(2)], lambda a: L.matrix_power(a, 3)),
    "matrix_power_negative": ([square(2)], lambda a: L.matrix_power(a, -3)),
    "matrix_exp": ([2 * torch.randn(2, 4, 4)], torch.matrix_exp),
}


def golden(t):
    return {"shape": list(t.shape), "values": t.detach().flatten().tolist()}


file = {}
for name, (inputs, function) in cases.items():
    inputs = [x.contiguous().requires_grad_() for x in inputs]
    results = function(*inputs)
    results = [results] if isinstance(results, torch.Tensor) else list(results)
    total = sum((y * torch.linspace(0.5, 1.5, y.numel()).reshape(y.shape)).sum() for y in results)
    total.backward()
    for i, x in enumerate(inputs):
        file[f"{name}/in{i}"] = golden(x)
        file[f"{name}/grad{i}"] = golden(x.grad)
    for i, y in enumerate(results):
        file[f"{name}/out{i}"] = golden(y)
here = os.path.dirname(os.path.abspath(__file__))
path = os.path.join(here, "../TensorCoreTests/Goldens/linear_algebra.json")
with open(path, "w") as f:
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in file.items()) + "\n}\n")
