"""Writes Tests/ExamplesTests/Goldens/examples.json: the examples' numbers, computed by PyTorch.

    venv/bin/python Tests/Goldens/make_goldens_examples.py MNIST

MNIST is a folder with t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz. Needs what
make_goldens.py needs, and its file format is the same. Weights and points come from the generator
that Sources/Examples/Generator.swift describes, so nothing but the results is stored.

`mnist/*` and `digits/*` are the rows of the example `five` on MNIST and, for 200 steps, on the
digits that are part of the program; `perceptron/*` the epochs of `perceptron`, exact in integers;
`island/losses` and `exclusive-or/losses` those of `island`; `dag/*` the results of `sharing`;
`gates/*` and `scalar/*` the small ones.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from make_goldens import TESTS, Generator, Goldens


def uniform(generator, *shape, bound=1.0, dtype=torch.float64):
    """Numbers in ±bound."""
    return ((2 * generator.draw(*shape) - 1) * bound).to(dtype)


def five(g, name, pixels, labels, steps, every):
    """Gradient descent on the mean squared error of 1,000 images."""
    x = pixels[:1000].float()
    x = (x - x.mean()) / x.std()
    y = (labels[:1000] == 5).float()[:, None]
    generator = Generator()
    parameters = []
    for outputs, inputs in ((200, x.shape[1]), (1, 200)):
        for shape in ((outputs, inputs), (outputs,)):
            weights = uniform(generator, *shape, bound=inputs**-0.5, dtype=torch.float32)
            parameters.append(weights.requires_grad_())
    w1, b1, w2, b2 = parameters
    rows = []
    for step in range(steps + 1):
        prediction = F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)
        loss = F.mse_loss(prediction, y)
        if step % every == 0:
            rows.append((step, loss.item(), ((prediction > 0.5) != (y > 0.5)).sum().item()))
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= 1e-2 * gradient
    for column, values in zip(("steps", "losses", "errors"), zip(*rows)):
        g.add(f"{name}/{column}", list(values))


def perceptron(g, pixels, labels):
    """Zeros against ones, with whole numbers as pixels: scaling changes no side."""
    train, test = ([i for i in part if labels[i] < 2] for part in (range(8000), range(8000, 10000)))
    x, y = pixels.astype(np.int64), np.where(labels == 1, 1, -1)
    w = np.zeros(x.shape[1], np.int64)
    rows = []
    changes = None
    while changes != 0:
        changes = 0
        for i in train:
            if x[i] @ w * y[i] <= 0:
                w, changes = w + y[i] * x[i], changes + 1
        errors = [float(np.mean(x[part] @ w * y[part] <= 0)) for part in (train, test)]
        rows.append((changes, *errors))
    for column, values in zip(("changes", "train_error", "test_error"), zip(*rows)):
        g.add(f"perceptron/{column}", list(values))


def islands(g):
    """Descent at 1.0 on 200 points of the square ±1."""
    rules = {
        "island": lambda u, v: u * u + v * v < 0.36,
        "exclusive-or": lambda u, v: u * v < 0,
    }
    for name, rule in rules.items():
        x = uniform(Generator(), 200, 2)
        y = rule(x[:, 0], x[:, 1]).double()[:, None]
        generator = Generator()
        shapes = ((3, 2), (3,), (1, 3), (1,))
        parameters = [uniform(generator, *shape, bound=2.5).requires_grad_() for shape in shapes]
        w1, b1, w2, b2 = parameters
        losses = []
        for step in range(2001):
            p = torch.sigmoid(F.linear(torch.sigmoid(F.linear(x, w1, b1)), w2, b2))
            loss = F.binary_cross_entropy(p, y)
            gradients = torch.autograd.grad(loss, parameters)
            if step == 0:
                g.add(f"{name}/gradient", torch.cat([t.flatten() for t in gradients]))
            losses.append(loss.item())
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients):
                    parameter -= gradient
        g.add(f"{name}/losses", losses[::200])


def shared_weight(g):
    """Three operators of which two have the weight w1."""
    generator = Generator()
    w1, w2 = (uniform(generator, 5, 5).requires_grad_() for _ in range(2))
    x0 = uniform(generator, 5)
    x1 = w1 @ x0
    x2 = x0 + w2 @ x1
    x3 = w1 @ (x1 + x2)
    q = x3.norm()
    q.backward()
    g.add("dag/q", q)
    g.add("dag/w1.grad", w1.grad)
    g.add("dag/w2.grad", w2.grad)


def small(g):
    """The staged function of CS231n at (3, -4), and the network of scalars."""
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (3.0, -4.0))
    f = (x + torch.sigmoid(y)) / (torch.sigmoid(x) + (x + y) ** 2)
    f.backward()
    g.add("gates/staged", [f.item(), x.grad.item(), y.grad.item()])

    def leaf(values):
        return torch.tensor(values, dtype=torch.float64, requires_grad=True)

    w, b = leaf([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]), leaf([0.0, 0.1, -0.1])
    v, c = leaf([1.0, -1.0, 0.5]), leaf(0.2)
    loss = (v @ torch.sigmoid(w @ torch.tensor([1.0, -1.0]).double() + b) + c) ** 2
    loss.backward()
    g.add("scalar/loss", loss)
    for name, tensor in (("w", w), ("b", b), ("v", v), ("c", c)):
        g.add(f"scalar/{name}.grad", tensor.grad)


def main(folder):
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    g = Goldens()
    small(g)
    shared_weight(g)
    islands(g)

    source = TESTS.parent / "Sources" / "CDigits" / "digits.csv.gz"
    table = np.array([line.split(",") for line in gzip.open(source, "rt")], np.int64)
    # Every fifth sample is for testing and stands, in the example, behind all others.
    order = np.argsort(np.arange(len(table)) % 5 == 4, kind="stable")
    table = torch.from_numpy(table[order])
    five(g, "digits", table[:, :-1] / 16, table[:, -1], steps=200, every=20)

    pixels, labels = (
        np.frombuffer(gzip.open(Path(folder) / name).read()[start:], np.uint8)
        for name, start in (
            ("t10k-images-idx3-ubyte.gz", 16), ("t10k-labels-idx1-ubyte.gz", 8))
    )
    pixels = pixels.reshape(-1, 784)
    perceptron(g, pixels, labels)
    five(
        g, "mnist", torch.from_numpy(pixels.astype(np.float32)) / 255,
        torch.from_numpy(labels.copy()), steps=1000, every=100)
    g.write("ExamplesTests", "Goldens", "examples.json")


if __name__ == "__main__":
    main(sys.argv[1])
