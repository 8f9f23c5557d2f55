"""Writes the golden files: what PyTorch computes, for the Swift tests to compare with.

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python Tests/Goldens/make_goldens.py

The files in the repository come from Python 3.11, torch 2.13.0+cpu, numpy 2.4.6 and safetensors
0.8.0. Running the script again with these on a CPU of the same kind changes nothing; elsewhere
last digits differ. The tests themselves need neither Python nor PyTorch.

Every .json file is one object of tensors, row-major:

    {"case/name": {"shape": [2, 3], "values": [0.5, ...]}, ...}

A number has the shape []. Truth values are 1 and 0. "inf", "-inf" and "nan" stand for the numbers
that JSON lacks. For a tensor T that is differentiated, "T.grad" is its gradient, and the gradient
that backward started from is "output.grad". Files named *.float32.json and *.float64.json hold the
same cases, computed in that type from equal inputs; all other files say their type below.
"""

import json
import math
import platform
from pathlib import Path

import numpy as np
import safetensors
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.optim.lr_scheduler import (
    ConstantLR, CosineAnnealingLR, LinearLR, SequentialLR, StepLR,
)

TESTS = Path(__file__).resolve().parent.parent
TYPES = {"float32": torch.float32, "float64": torch.float64}


class Goldens:
    """The tensors of one file."""

    def __init__(self, dtype=torch.float64):
        self.dtype = dtype
        self.tensors = {}

    def add(self, name, value):
        """Takes a tensor, list or number as it is now; later changes do not matter."""
        assert name not in self.tensors, name
        if not isinstance(value, torch.Tensor):
            value = torch.tensor(value, dtype=torch.float64)
        self.tensors[name] = value.detach().clone().contiguous()

    def case(self, name, function, inputs, constants=(), **settings):
        """Records inputs, output and gradients of `output = function(*inputs)`.

        Floating-point inputs are differentiated unless they are among `constants`. Backward starts
        from random numbers, or from 1 where the output is a number.
        """
        leaves = {}
        for key, value in inputs.items():
            if value.is_floating_point():
                value = value.to(self.dtype, copy=True).requires_grad_(key not in constants)
            leaves[key] = value
            self.add(f"{name}/{key}", value)
        for key, value in settings.items():
            self.add(f"{name}/{key}", value)
        output = function(*leaves.values())
        self.add(f"{name}/output", output)
        if not output.requires_grad:
            return
        seed = nonzero(*output.shape) if output.dim() else torch.tensor(1.0)
        output.backward(seed.to(self.dtype))
        self.add(f"{name}/output.grad", seed)
        for key, value in leaves.items():
            if value.requires_grad:
                self.add(f"{name}/{key}.grad", value.grad)

    def write(self, *path):
        """Writes the file, one tensor a line."""
        lines = []
        for name, tensor in self.tensors.items():
            values = ",".join(number(value, tensor.dtype) for value in tensor.flatten().tolist())
            shape = ",".join(map(str, tensor.shape))
            lines.append(f'{json.dumps(name)}:{{"shape":[{shape}],"values":[{values}]}}')
        file = TESTS.joinpath(*path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def number(value, dtype):
    """The shortest text that reads back to the same number of the type."""
    if not math.isfinite(value):
        return json.dumps(str(value))
    if not dtype.is_floating_point:
        return str(int(value))
    if dtype == torch.float32:
        value = float(f"{value:.9g}")
    return repr(value).removesuffix(".0")


# Random numbers are multiples of 1/64, which both types hold exactly and few digits write.


def random(*shape):
    """Numbers from -2 to 2."""
    return torch.randint(-128, 129, shape) / 64


def nonzero(*shape):
    """Numbers from -2 to 2, none of them zero."""
    return (2 * torch.randint(-64, 64, shape) + 1) / 64


def positive(*shape):
    """Numbers from 1/64 to 2."""
    return torch.randint(1, 129, shape) / 64


def values(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


# ---------------------------------------------------------------------------------------------
# NeuralNetworksTests


def layers(dtype):
    """Layers: `x` and the parameters under the names of the state dictionary."""
    g = Goldens(dtype)
    linear = {"weight": random(3, 5), "bias": random(3)}
    g.case("linear", F.linear, {"x": random(4, 5), **linear})
    g.case("linear_without_bias", F.linear, {"x": random(4, 5), "weight": random(3, 5)})
    g.case("linear_vector", F.linear, {"x": random(5), **linear})
    g.case("linear_batches", F.linear, {"x": random(2, 3, 5), **linear})

    edges = values(-1000, -90, -20, -1.5, -1 / 64, -0.0, 0, 1 / 64, 1.5, 20, 90, 1000)
    for name in ["relu", "sigmoid", "tanh"]:
        g.case(name, getattr(torch, name), {"x": random(3, 4)})
        g.case(f"{name}_edges", getattr(torch, name), {"x": edges})
    g.case("flatten", lambda x: nn.Flatten()(x).square(), {"x": random(2, 3, 4)})

    def mlp(x, w0, b0, w2, b2):
        return F.linear(F.relu(F.linear(x, w0, b0)), w2, b2)

    parameters = {
        "0.weight": random(7, 5), "0.bias": random(7),
        "2.weight": random(3, 7), "2.bias": random(3),
    }
    g.case("mlp", mlp, {"x": random(6, 5), **parameters})
    g.case("mlp_tanh", lambda x, a, b, c, d: F.linear(torch.tanh(F.linear(x, a, b)), c, d),
           {"x": random(6, 5), **parameters})
    return g


def losses(dtype):
    """Losses, each as CASE_none, CASE_sum and CASE_mean.

    Inputs: `prediction` and `target`; or `logits` and `labels`; or `probabilities` or `logits` and
    `target`.
    """
    g = Goldens(dtype)
    labels = torch.tensor([2, 0, 3, 3, 1], dtype=torch.int32)
    few = torch.tensor([0, 1, 2], dtype=torch.int32)
    huge = values(1000, -1000, 0, 1000, 999, -1000, -90, 0, 90).reshape(3, 3)
    large = values(-1000, -90, -20, 0, 20, 90, 1000, -1000, 1000)
    soft = values(0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 0)
    every = {
        "mse": (F.mse_loss, {"prediction": random(4, 3), "target": random(4, 3)}),
        "cross_entropy": (cross_entropy, {"logits": random(5, 4), "labels": labels}),
        "cross_entropy_large": (cross_entropy, {"logits": huge, "labels": few}),
        "nll_of_log_softmax": (nll, {"logits": random(5, 4), "labels": labels}),
        "bce": (F.binary_cross_entropy,
                {"probabilities": positive(4, 3) / 2 - 1 / 256,
                 "target": torch.randint(0, 2, (4, 3)) * 1.0}),
        "bce_soft": (F.binary_cross_entropy,
                     {"probabilities": positive(9) / 2 - 1 / 256, "target": soft}),
        "bce_edges": (F.binary_cross_entropy,
                      {"probabilities": values(0, 0, 1, 1, 0.5), "target": values(0, 1, 0, 1, 1)}),
        "bce_with_logits": (F.binary_cross_entropy_with_logits,
                            {"logits": random(4, 3), "target": torch.randint(0, 2, (4, 3)) * 1.0}),
        "bce_with_logits_large": (F.binary_cross_entropy_with_logits,
                                  {"logits": large, "target": soft}),
    }
    for name, (loss, inputs) in every.items():
        # PyTorch differentiates mse_loss by its target too; the others' targets are given.
        constants = () if name == "mse" else ("target",)
        for reduction in ["none", "sum", "mean"]:
            function = lambda *x: loss(*x, reduction=reduction)
            g.case(f"{name}_{reduction}", function, inputs, constants)
    return g


def cross_entropy(logits, labels, reduction):
    return F.cross_entropy(logits, labels.long(), reduction=reduction)


def nll(logits, labels, reduction):
    return F.nll_loss(F.log_softmax(logits, 1), labels.long(), reduction=reduction)


def products(dtype):
    """`output = matmul(a, b)`; in `matmul_transposed` both are transposed first."""
    g = Goldens(dtype)
    shapes = {
        "vector_vector": ([4], [4]),
        "matrix_vector": ([3, 4], [4]),
        "vector_matrix": ([4], [4, 5]),
        "matrix_matrix": ([3, 4], [4, 5]),
        "batch_batch": ([2, 3, 4], [2, 4, 5]),
        "batch_matrix": ([2, 3, 4], [4, 5]),
        "matrix_batch": ([3, 4], [2, 4, 5]),
        "batch_vector": ([2, 3, 4], [4]),
        "vector_batch": ([4], [2, 4, 5]),
        "broadcast": ([2, 3, 2, 4], [3, 4, 5]),
        "broadcast_ones": ([2, 1, 2, 4], [1, 3, 4, 2]),
    }
    for name, (a, b) in shapes.items():
        g.case(f"matmul_{name}", torch.matmul, {"a": random(*a), "b": random(*b)})
    g.case("matmul_transposed", lambda a, b: a.T @ b.T, {"a": random(4, 3), "b": random(5, 4)})
    return g


def operations(dtype):
    """Functions of `x`, or of `a` and `b`, element by element; settings are numbers."""
    g = Goldens(dtype)
    nan = float("nan")

    # Arithmetic with broadcasting.
    for name in ["add", "sub", "mul", "div"]:
        function = getattr(torch, name)
        g.case(f"{name}_same", function, {"a": random(2, 3), "b": nonzero(2, 3)})
        g.case(f"{name}_row", function, {"a": random(2, 3), "b": nonzero(3)})
        g.case(f"{name}_both", function, {"a": random(2, 3, 1), "b": nonzero(3, 4)})
        g.case(f"{name}_number", function, {"a": random(2, 3), "b": nonzero()})
    g.case("div_zero", torch.div, {"a": values(1, -1, 0, 2), "b": values(0, 0, 0, 1)}, ["a", "b"])

    # Element by element.
    signed = values(-2, -1.5, -1, -0.5, -0.0, 0, 0.5, 1, 1.5, 2, 2.5)
    g.case("negate", torch.neg, {"x": signed})
    g.case("abs", torch.abs, {"x": signed})
    g.case("squared", torch.square, {"x": signed})
    g.case("reciprocal", torch.reciprocal, {"x": signed})
    g.case("sqrt", torch.sqrt, {"x": values(-1, 0, 1 / 64, 0.25, 2, 1e6)})
    g.case("log", torch.log, {"x": values(-1, 0, 1 / 64, 0.5, 1, 2, 1e6)})
    g.case("exp", torch.exp, {"x": values(-1000, -80, -1.5, 0, 0.5, 2, 80, 1000)})
    g.case("sin", torch.sin, {"x": values(-20, -1.5, 0, 0.5, 3, 100)})
    g.case("cos", torch.cos, {"x": values(-20, -1.5, 0, 0.5, 3, 100)})
    for name in ["sign", "floor", "round"]:
        g.case(name, getattr(torch, name), {"x": signed}, ["x"])
    for name, exponent in [("2", 2), ("3", 3), ("0", 0), ("1", 1), ("minus_1", -1)]:
        g.case(f"pow_{name}", lambda x: x.pow(exponent), {"x": signed}, exponent=exponent)
    for name, exponent in [("half", 0.5), ("1_5", 1.5)]:
        x = values(0, 1 / 64, 0.25, 1, 2)
        g.case(f"pow_{name}", lambda x: x.pow(exponent), {"x": x}, exponent=exponent)
    g.case("clamp", lambda x: x.clamp(-1, 1.5), {"x": signed}, low=-1, high=1.5)
    g.case("clamp_low", lambda x: x.clamp(min=-1), {"x": signed}, low=-1)
    g.case("clamp_high", lambda x: x.clamp(max=1.5), {"x": signed}, high=1.5)

    # Choices. Equal elements of a and b share the gradient in halves.
    a, b = values(1, 2, 2, -1, 0, 3).reshape(2, 3), values(2, 2, 1, -1, -0.0, 3.5).reshape(2, 3)
    for name in ["maximum", "minimum"]:
        function = getattr(torch, name)
        g.case(name, function, {"a": a, "b": b})
        g.case(f"{name}_broadcast", function, {"a": a, "b": values(1, 2, 2)})
        g.case(f"{name}_nan", function, {"a": values(nan, 1, nan), "b": values(1, nan, nan)},
               ["a", "b"])
    condition = torch.tensor([[1, 0, 1], [0, 0, 1]], dtype=torch.int32)
    g.case("where", lambda c, a, b: torch.where(c != 0, a, b),
           {"condition": condition, "a": random(2, 3), "b": random(2, 3)})
    g.case("where_broadcast", lambda c, a, b: torch.where(c != 0, a, b),
           {"condition": condition, "a": random(3), "b": random(2, 1)})
    return g


def reductions(dtype):
    """Softmax and reductions of `x`, and squared views of it.

    A suffix names the axes; `keeping` keeps them with size 1. `amax` and `amin`, which Swift calls
    `max` and `min`, share the gradient evenly among equal extremes.
    """
    g = Goldens(dtype)
    nan = float("nan")
    large = values(1000, 1000, -1000, 0, -1000, -1000, -1000, -1001, 90, 0, -90, -200).reshape(3, 4)
    for name in ["softmax", "log_softmax"]:
        function = getattr(torch, name)
        g.case(name, lambda x: function(x, -1), {"x": random(2, 3, 4)})
        g.case(f"{name}_axis_0", lambda x: function(x, 0), {"x": random(3, 4)})
        g.case(f"{name}_axis_1", lambda x: function(x, 1), {"x": random(2, 3, 4)})
        g.case(f"{name}_large", lambda x: function(x, -1), {"x": large})

    axes = {"": None, "_axis_0": [0], "_axis_1": [1], "_axis_minus_1": [-1], "_axes_0_2": [0, 2]}
    for name in ["sum", "mean", "amax", "amin"]:
        function = getattr(torch, name)
        tied = name.startswith("a")
        x = torch.randint(-1, 2, (2, 3, 4)) * 1.0 if tied else random(2, 3, 4)
        for suffix, dims in axes.items():
            dims = dims if dims is not None else [0, 1, 2]
            g.case(f"{name}{suffix}", lambda x: function(x, dims), {"x": x})
        g.case(f"{name}_keeping_axis_1", lambda x: function(x, [1], keepdim=True), {"x": x})
    tied = values(1, 3, 3, -1, -1, 3).reshape(2, 3)
    g.case("max_all", torch.max, {"x": tied})
    g.case("min_all", torch.min, {"x": tied})
    g.case("amax_nan", lambda x: x.amax(1), {"x": values(1, nan, 2, 3, 4, 5).reshape(2, 3)}, ["x"])
    g.case("amin_nan", lambda x: x.amin(1), {"x": values(1, nan, 2, 3, 4, 5).reshape(2, 3)}, ["x"])
    for name in ["argmax", "argmin"]:
        function = getattr(torch, name)
        for axis in [0, 1]:
            g.case(f"{name}_axis_{axis}", lambda x: function(x, axis), {"x": tied}, ["x"])
    for suffix, dims in axes.items():
        g.case(f"norm{suffix}", lambda x: torch.linalg.vector_norm(x, dim=dims),
               {"x": random(2, 3, 4)})
    g.case("norm_zero", torch.linalg.vector_norm, {"x": torch.zeros(3)})
    g.case("one_hot", lambda x: F.one_hot(x.long(), 4), {"x": torch.tensor([2, 0, 3]).int()})

    g.case("transpose", lambda x: x.transpose(-2, -1).square(), {"x": random(2, 3, 4)})
    g.case("permute", lambda x: x.permute(2, 0, 1).square(), {"x": random(2, 3, 4)})
    g.case("slice_axis_1_from_1_to_3", lambda x: x[:, 1:3].square(), {"x": random(2, 4)})
    g.case("expand_to_2_3_4", lambda x: x.expand(2, 3, 4).square(), {"x": random(3, 1)})
    return g


def initialization():
    """`nn.Linear` as built: for each size, `INxOUT/weight.bound` and so on.

    `bound` and `expected_variance` are what kaiming_uniform_(a=sqrt(5)) means; `minimum`,
    `maximum`, `mean` and `variance` are those of one draw of PyTorch's.
    """
    g = Goldens()
    for inputs, outputs in [(784, 200), (100, 400), (4, 5000), (1, 3000)]:
        torch.manual_seed(inputs)
        layer = nn.Linear(inputs, outputs)
        for name, parameter in layer.named_parameters():
            p = parameter.detach().double()
            bound = 1 / math.sqrt(inputs)
            assert p.abs().max() <= bound
            statistics = dict(
                bound=bound, expected_variance=bound**2 / 3, minimum=p.min(), maximum=p.max(),
                mean=p.mean(), variance=p.var(correction=0))
            for key, value in statistics.items():
                g.add(f"{inputs}x{outputs}/{name}.{key}", value)
    return g


# ---------------------------------------------------------------------------------------------
# OptimizersTests


def sgd():
    """Ten steps of `torch.optim.SGD` in float32 with given gradients.

    All cases start from `initial/weight` and `initial/bias` and get `gradients/weight` [10, 3, 2]
    and `gradients/bias` [10, 3] one after the other, at `CASE/learning_rates` [10]; where
    `CASE/has_bias_gradient` [10] is 0, the bias has no gradient in that step. `CASE/weight` and
    `CASE/bias` are the parameters after each step, `CASE/weight.velocity` and
    `CASE/bias.velocity` the momentum buffers after the last (absent without momentum).
    """
    g = Goldens()
    steps = 10
    initial = {"weight": random(3, 2), "bias": random(3)}
    gradients = {"weight": random(steps, 3, 2), "bias": random(steps, 3)}
    for name in initial:
        g.add(f"initial/{name}", initial[name])
        g.add(f"gradients/{name}", gradients[name])

    constant = [0.1] * steps
    falling = [0.1 * 0.5 ** (step // 3) for step in range(steps)]
    all_steps = [1] * steps
    late = [0, 0, 1, 1, 1, 0, 1, 1, 0, 1]
    cases = {
        "plain": ({}, constant, all_steps),
        "weight_decay": (dict(weight_decay=0.05), constant, all_steps),
        "momentum": (dict(momentum=0.9), constant, all_steps),
        "momentum_weight_decay": (dict(momentum=0.9, weight_decay=0.05), constant, all_steps),
        "dampening": (dict(momentum=0.9, dampening=0.3), constant, all_steps),
        "dampening_weight_decay":
            (dict(momentum=0.5, dampening=0.9, weight_decay=0.01), constant, all_steps),
        "nesterov": (dict(momentum=0.9, nesterov=True), constant, all_steps),
        "nesterov_weight_decay":
            (dict(momentum=0.8, nesterov=True, weight_decay=0.05), constant, all_steps),
        "falling_rate": (dict(momentum=0.9), falling, all_steps),
        "missing_gradients": (dict(momentum=0.9, dampening=0.2, weight_decay=0.05), constant, late),
        "missing_gradients_plain": (dict(weight_decay=0.05), constant, late),
    }
    for case, (options, rates, has_bias_gradient) in cases.items():
        options = dict(momentum=0, dampening=0, nesterov=False, weight_decay=0) | options
        parameters = {name: value.clone().requires_grad_() for name, value in initial.items()}
        optimizer = torch.optim.SGD(parameters.values(), lr=rates[0], foreach=False, **options)
        after = {name: [] for name in parameters}
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = rates[step]
            for name, parameter in parameters.items():
                parameter.grad = gradients[name][step].clone()
            if not has_bias_gradient[step]:
                parameters["bias"].grad = None
            optimizer.step()
            for name, parameter in parameters.items():
                after[name].append(parameter.detach().clone())
        for key, value in options.items():
            g.add(f"{case}/{key}", float(value))
        g.add(f"{case}/learning_rates", rates)
        g.add(f"{case}/has_bias_gradient", has_bias_gradient)
        for name, parameter in parameters.items():
            g.add(f"{case}/{name}", torch.stack(after[name]))
            if options["momentum"]:
                g.add(f"{case}/{name}.velocity", optimizer.state[parameter]["momentum_buffer"])
    return g


def clipping():
    """`clip_grad_norm_` in float32 of the gradients `CASE/weight` and `CASE/bias` together.

    `CASE/norm` is what it returns, `CASE/weight.clipped` and `CASE/bias.clipped` what it leaves.
    """
    g = Goldens()
    weight, bias = random(3, 2), random(3)
    exact = torch.tensor([[3.0, 0], [0, 0], [0, 0]]), torch.tensor([0, 4.0, 0])
    cases = {
        "above": (weight, bias, 1.0),
        "far_above": (weight * 1000, bias * 1000, 0.5),
        "below": (weight, bias, 100.0),
        "equal": (*exact, 5.0),
        "tiny": (weight * 1e-6, bias * 1e-6, 1e-6),
        "zero": (weight * 0, bias * 0, 1.0),
    }
    for case, (weight, bias, max_norm) in cases.items():
        gradients = {"weight": weight, "bias": bias}
        parameters = {name: nn.Parameter(gradient * 0) for name, gradient in gradients.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[name].clone()
        norm = nn.utils.clip_grad_norm_(parameters.values(), max_norm, foreach=False)
        g.add(f"{case}/max_norm", max_norm)
        g.add(f"{case}/norm", norm)
        for name, parameter in parameters.items():
            g.add(f"{case}/{name}", gradients[name])
            g.add(f"{case}/{name}.clipped", parameter.grad)
    return g


def schedules():
    """Learning rates of the steps 0, 1, ... in float64.

    `CASE/rates` follow from `CASE/base`, `CASE/warmup` and the settings of the shape. With a
    warm-up of W steps, step s < W has the rate base (s + 1) / W, and the shape starts at step W:
    SequentialLR of LinearLR(1 / W, 1, W - 1) and the shape. A cosine ends at step `steps`, which
    counts the warm-up.
    """
    g = Goldens()

    def record(case, base, shape, count, warmup=0, **settings):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=base)
        if warmup:
            rise = LinearLR(optimizer, 1 / warmup, 1, warmup - 1)
            scheduler = SequentialLR(optimizer, [rise, shape(optimizer)], [warmup])
        else:
            scheduler = shape(optimizer)
        rates = []
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        for key, value in dict(base=base, warmup=warmup, rates=rates, **settings).items():
            g.add(f"{case}/{key}", value)

    step = lambda optimizer: StepLR(optimizer, 4, 0.3)
    constant = lambda optimizer: ConstantLR(optimizer, 1, 1)
    cosine = lambda steps, minimum: lambda optimizer: CosineAnnealingLR(optimizer, steps, minimum)
    record("step", 0.1, step, 14, size=4, gamma=0.3)
    record("step_warmup", 0.1, step, 19, warmup=5, size=4, gamma=0.3)
    record("constant_warmup", 0.2, constant, 12, warmup=8)
    record("cosine", 0.1, cosine(20, 0), 21, steps=20, minimum=0)
    record("cosine_minimum", 0.5, cosine(12, 0.01), 13, steps=12, minimum=0.01)
    record("cosine_warmup", 0.1, cosine(25, 0), 31, warmup=5, steps=30, minimum=0)
    record("cosine_warmup_minimum", 0.4, cosine(9, 0.02), 13, warmup=3, steps=12, minimum=0.02)
    return g


# ---------------------------------------------------------------------------------------------
# TrainingTests


def train(model, inputs, targets, loss_function, rate, momentum, steps):
    """Trains on one batch and returns the loss of each step, before its update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, foreach=False)
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        optimizer.step()
        history.append(loss.detach())
    return torch.stack(history)


def training():
    """Twenty steps of SGD on one batch in float32, from `initial/NAME` to `final/NAME`.

    The model is Linear 6 -> 8, ReLU, Linear 8 -> 8, Tanh, Linear 8 -> 4, the loss the mean
    cross-entropy of `inputs` [12, 6] and `labels` [12]; `losses` [20] are those before each update.
    `losses.float64` and `final.float64/NAME` show how far rounding alone moves them.
    """
    g = Goldens()
    model = nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, labels = random(12, 6), torch.randint(0, 4, (12,))
    g.add("inputs", inputs)
    g.add("labels", labels)
    g.add("learning_rate", 0.1)
    g.add("momentum", 0.9)
    for name, value in initial.items():
        g.add(f"initial/{name}", value)
    for suffix, dtype in [("", torch.float32), (".float64", torch.float64)]:
        model.to(dtype).load_state_dict(initial)
        history = train(model, inputs.to(dtype), labels, F.cross_entropy, 0.1, 0.9, 20)
        g.add(f"losses{suffix}", history)
        for name, value in model.state_dict().items():
            g.add(f"final{suffix}/{name}", value)
    return g


class Generator:
    """Numbers from a linear congruential generator that any language has.

    The state is a 64-bit unsigned integer that starts at 1 unless told otherwise. For each number
        state = (state * 6364136223846793005 + 1442695040888963407) mod 2^64
        u = (state >> 40) / 2^24, from 0 to below 1 and exact in float32.
    """

    def __init__(self, start=1):
        self.state = start

    def draw(self, *shape):
        """The next numbers u, row by row, in float64."""
        count, mask = math.prod(shape), 2**64 - 1
        states = np.array([self.state], np.uint64)
        # So many steps at once: as many as are known already.
        factor, addend = 6364136223846793005, 1442695040888963407
        while states.size <= count:
            states = np.concatenate([states, states * np.uint64(factor) + np.uint64(addend)])
            factor, addend = factor * factor & mask, (factor * addend + addend) & mask
        self.state = int(states[count])
        return torch.from_numpy((states[1:count + 1] >> np.uint64(40)) / 2**24).reshape(shape)


def state_dictionary():
    """`mlp.safetensors`, as a PyTorch user saves it, and what that model does in float32.

    The model is nn.Sequential(Linear(64, 32), ReLU(), Linear(32, 10)); mlp.json has `inputs`
    [2, 64] and `outputs` [2, 10].
    """
    g = Goldens()
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    inputs = random(2, 64)
    file = TESTS / "CheckpointingTests" / "Goldens" / "mlp.safetensors"
    save_file(model.state_dict(), file, metadata={"format": "pt"})
    g.add("inputs", inputs)
    g.add("outputs", model(inputs))
    return g


def main():
    torch.set_num_threads(1)
    print(f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, "
          f"safetensors {safetensors.__version__}")
    for make in [layers, losses, products, operations, reductions]:
        for name, dtype in TYPES.items():
            torch.manual_seed(0)
            make(dtype).write("NeuralNetworksTests", "Goldens", f"{make.__name__}.{name}.json")
    files = {
        ("NeuralNetworksTests", "initialization"): initialization,
        ("OptimizersTests", "sgd"): sgd,
        ("OptimizersTests", "clipping"): clipping,
        ("OptimizersTests", "schedules"): schedules,
        ("TrainingTests", "training"): training,
        ("CheckpointingTests", "mlp"): state_dictionary,
    }
    for (tests, name), make in files.items():
        folder = TESTS / tests / "Goldens"
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        make().write(tests, "Goldens", f"{name}.json")


if __name__ == "__main__":
    main()
