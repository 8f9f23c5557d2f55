"""Writes the golden files of convolutions and pooling of sequences and volumes, and of unfolding; run and read
it as make_goldens.py.

    venv/bin/python Tests/Goldens/make_goldens_windows.py

A case carries its settings as tensors with a number for each axis, "conv3d_1/stride" as [2, 1, 1].
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, random
from make_goldens_networks import fill, record


def each(value, axes):
    return value if isinstance(value, tuple) else (value,) * axes


def listed(settings):
    return {key: list(value) if isinstance(value, tuple) else float(value) for key, value in settings.items()}


def distinct(*shape):
    """Numbers without ties, so that only one rule decides."""
    count = torch.Size(shape).numel()
    return (torch.randperm(count) - count // 2).reshape(shape) / 64


def windows(dtype):
    """x, weight, bias and the settings."""
    g = Goldens(dtype)

    def conv(axes, name, x, weight, stride=1, padding=0, dilation=1, groups=1, bias=True):
        inputs = {"x": random(*x), "weight": random(*weight)}
        if bias:
            inputs["bias"] = random(weight[0])
        s = dict(stride=each(stride, axes), padding=each(padding, axes), dilation=each(dilation, axes),
                 groups=groups)
        function = getattr(F, f"conv{axes}d")
        g.case(f"conv{axes}d_{name}", lambda *t: function(*t, **s), inputs, **listed(s))

    conv(1, "plain", (2, 3, 7), (4, 3, 3))
    conv(1, "without_bias", (2, 3, 7), (2, 3, 2), bias=False)
    conv(1, "everything", (2, 4, 17), (6, 2, 3), stride=2, padding=3, dilation=2, groups=2)
    conv(1, "pointwise", (2, 3, 5), (4, 3, 1))
    conv(1, "depthwise", (2, 3, 8), (3, 1, 3), padding=1, groups=3)
    conv(1, "single", (3, 6), (2, 3, 3), padding=1)
    conv(3, "plain", (2, 3, 4, 5, 4), (2, 3, 3, 3, 3))
    conv(3, "without_bias", (1, 2, 3, 4, 3), (2, 2, 2, 3, 1), bias=False)
    conv(3, "padding", (1, 2, 3, 4, 3), (3, 2, 3, 3, 3), padding=1)
    conv(3, "everything", (2, 4, 7, 6, 5), (6, 2, 3, 2, 2), stride=(2, 1, 3), padding=(1, 2, 1),
         dilation=(2, 1, 1), groups=2)
    conv(3, "pointwise", (2, 3, 2, 3, 2), (2, 3, 1, 1, 1))
    conv(3, "single", (2, 3, 3, 4), (2, 2, 2, 2, 2), stride=2, padding=1)

    def transposed(axes, name, x, weight, stride=1, padding=0, output_padding=0, dilation=1, groups=1,
                   bias=True):
        inputs = {"x": random(*x), "weight": random(*weight)}
        if bias:
            inputs["bias"] = random(weight[1] * groups)
        s = dict(stride=each(stride, axes), padding=each(padding, axes),
                 output_padding=each(output_padding, axes), dilation=each(dilation, axes), groups=groups)
        function = getattr(F, f"conv_transpose{axes}d")
        g.case(f"conv_transpose{axes}d_{name}", lambda *t: function(*t, **s), inputs, **listed(s))

    transposed(1, "plain", (2, 3, 5), (3, 2, 3))
    transposed(1, "everything", (2, 4, 5), (4, 3, 3), stride=3, padding=2, output_padding=1, dilation=2, groups=2)
    transposed(1, "single", (3, 4), (3, 2, 2), stride=2, bias=False)
    transposed(3, "plain", (2, 3, 2, 3, 2), (3, 2, 2, 3, 2))
    transposed(3, "stride", (1, 2, 3, 2, 2), (2, 2, 2, 2, 2), stride=2, bias=False)
    transposed(3, "everything", (2, 4, 3, 2, 3), (4, 1, 3, 2, 2), stride=(2, 3, 1), padding=(1, 0, 1),
               output_padding=(1, 2, 0), dilation=(2, 1, 2), groups=2)
    transposed(3, "output_padding_beyond", (1, 1, 2, 2, 2), (1, 1, 1, 1, 1), stride=3, output_padding=2)
    transposed(3, "single", (2, 2, 2, 2), (2, 1, 2, 1, 2))

    def maximum(axes, name, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        s = dict(stride=each(stride or kernel, axes), padding=each(padding, axes),
                 dilation=each(dilation, axes), ceil_mode=ceil_mode)
        function = getattr(F, f"max_pool{axes}d")
        g.case(f"max_pool{axes}d_{name}", lambda t: function(t, kernel, **s), {"x": x},
               **listed(dict(kernel=each(kernel, axes), **s)))

    maximum(1, "plain", distinct(2, 3, 7), 2)
    maximum(1, "everything", distinct(2, 2, 11), 3, stride=2, padding=1, dilation=2, ceil_mode=True)
    maximum(1, "single", distinct(2, 6), 3)
    maximum(3, "plain", distinct(2, 2, 4, 5, 4), 2)
    maximum(3, "everything", distinct(1, 2, 6, 7, 5), (2, 3, 2), stride=(2, 1, 3), padding=(1, 1, 0),
            dilation=(1, 2, 1), ceil_mode=True)
    maximum(3, "ties", torch.ones(1, 1, 3, 3, 3), 2, stride=1)
    maximum(3, "single", distinct(2, 4, 4, 2), 2)

    def average(axes, name, x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        s = dict(stride=each(stride or kernel, axes), padding=each(padding, axes), ceil_mode=ceil_mode,
                 count_include_pad=count_include_pad)
        function = getattr(F, f"avg_pool{axes}d")
        g.case(f"avg_pool{axes}d_{name}", lambda t: function(t, kernel, **s), {"x": x},
               **listed(dict(kernel=each(kernel, axes), **s)))

    average(1, "plain", random(2, 3, 7), 2)
    average(1, "everything", random(2, 2, 10), 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    average(1, "single", random(2, 6), 3)
    average(3, "plain", random(2, 2, 4, 5, 4), 2)
    average(3, "padding", random(1, 2, 4, 5, 3), 3, stride=2, padding=1)
    average(3, "everything", random(1, 2, 6, 7, 5), (2, 3, 2), stride=(2, 1, 3), padding=(1, 1, 0),
            ceil_mode=True, count_include_pad=False)
    average(3, "ceil_mode", random(1, 1, 5, 6, 7), 3, stride=3, padding=1, ceil_mode=True)
    average(3, "single", random(2, 4, 4, 2), 2)

    def adaptive(kind, axes, name, x, size):
        function = getattr(F, f"adaptive_{kind}_pool{axes}d")
        g.case(f"adaptive_{kind}_pool{axes}d_{name}", lambda t: function(t, size), {"x": x},
               **listed(dict(size=each(size, axes))))

    for kind, make in [("avg", random), ("max", distinct)]:
        adaptive(kind, 1, "uneven", make(2, 3, 7), 3)
        adaptive(kind, 1, "enlarging", make(1, 2, 3), 5)
        adaptive(kind, 3, "uneven", make(1, 2, 5, 7, 4), (3, 4, 1))
        adaptive(kind, 3, "single", make(2, 4, 3, 2), 2)
    adaptive("max", 2, "global", distinct(2, 3, 5, 4), 1)
    adaptive("max", 2, "uneven", distinct(1, 2, 5, 7), (3, 4))
    adaptive("max", 2, "even", distinct(1, 2, 4, 6), (2, 3))
    adaptive("max", 2, "enlarging", distinct(1, 1, 2, 3), (5, 4))
    adaptive("max", 2, "ties", torch.ones(1, 1, 5, 5), 3)
    adaptive("max", 2, "single", distinct(2, 6, 4), (3, 2))

    def unfold(name, x, kernel, stride=1, padding=0, dilation=1):
        s = dict(kernel_size=each(kernel, 2), stride=each(stride, 2), padding=each(padding, 2),
                 dilation=each(dilation, 2))
        x = random(*x)
        columns = F.unfold(x, **s)
        g.case(f"unfold_{name}", lambda t: F.unfold(t, **s), {"x": x}, **listed(s))
        size = tuple(x.shape[-2:])
        g.case(f"fold_{name}", lambda t: F.fold(t, size, **s), {"x": random(*columns.shape)},
               **listed(dict(size=size, **s)))

    unfold("plain", (2, 3, 4, 5), 2)
    unfold("everything", (2, 2, 7, 6), (3, 2), stride=(2, 1), padding=(2, 1), dilation=(1, 2))
    unfold("single", (2, 4, 4), (2, 3), padding=1)
    return g


def layers():
    """Networks of these layers in float32: `x`, `output`, `state/NAME` and `gradient/NAME`.

    `tracked` has instance normalization with running statistics, as in running_statistics.json.
    """
    g = Goldens()
    networks = {
        "sequence": (nn.Sequential(
            nn.Conv1d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2),
            nn.ConvTranspose1d(4, 2, 2, stride=2), nn.InstanceNorm1d(2, affine=True),
            nn.AvgPool1d(2, padding=1, count_include_pad=False),
            nn.Conv1d(2, 3, 4, padding="same", dilation=1), nn.AdaptiveMaxPool1d(3),
            nn.AdaptiveAvgPool1d(2)), [2, 3, 11]),
        "volume": (nn.Sequential(
            nn.Conv3d(2, 3, 2, padding="same"), nn.BatchNorm3d(3), nn.MaxPool3d(2, padding=1),
            nn.ConvTranspose3d(3, 2, (2, 1, 2), stride=2, bias=False), nn.InstanceNorm3d(2),
            nn.AvgPool3d((1, 2, 2), stride=1), nn.AdaptiveMaxPool3d((3, 2, 2)),
            nn.AdaptiveAvgPool3d((1, 2, 1))), [2, 2, 4, 3, 4]),
        "image": (nn.Sequential(
            nn.Conv2d(2, 4, (2, 3), padding="same", dilation=(3, 1)), nn.LocalResponseNorm(3, alpha=0.5),
            nn.InstanceNorm2d(4, affine=True, eps=1e-3), nn.AdaptiveMaxPool2d((3, 4)),
            nn.Unfold(2, padding=(1, 0), stride=(2, 1)), nn.Fold((3, 4), 2, padding=(1, 0), stride=(2, 1))),
            [2, 2, 6, 5]),
        "channels": (nn.LocalResponseNorm(4, alpha=0.3, beta=0.5, k=2.0), [2, 6, 3]),
    }
    for name, (module, shape) in networks.items():
        fill(module)
        x = random(*shape).requires_grad_()
        record(g, name, module, {"output": module(x)}, {"x": x})

    module = nn.InstanceNorm1d(3, momentum=0.25, track_running_stats=True)
    x = random(3, 2, 3, 4)
    g.add("tracked/x", x)
    g.add("tracked/output", torch.stack([module(batch) for batch in x]))
    g.add("tracked/running_mean", module.running_mean)
    g.add("tracked/running_var", module.running_var)
    g.add("tracked/evaluated", module.eval()(x[0]))

    module = fill(nn.Sequential(
        nn.Conv1d(2, 3, 3, padding=2, padding_mode="reflect", stride=2), nn.Tanh(),
        nn.Conv1d(3, 3, 4, padding="same", padding_mode="circular"), nn.Unflatten(1, (3, 1)),
        nn.Conv2d(3, 2, (1, 3), padding=(0, 1), padding_mode="replicate"), nn.Unflatten(2, (1, 1)),
        nn.Conv3d(2, 2, (1, 1, 2), padding="same", padding_mode="reflect")))
    x = random(2, 2, 9).requires_grad_()
    record(g, "modes", module, {"output": module(x)}, {"x": x})
    return g


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers().write("NeuralNetworksTests", "Goldens", "window_layers.json")
    for type_name, dtype in TYPES.items():
        torch.manual_seed(0)
        windows(dtype).write("TensorCoreTests", "Goldens", f"windows.{type_name}.json")


if __name__ == "__main__":
    main()
