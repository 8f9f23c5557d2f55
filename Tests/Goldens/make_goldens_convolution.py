"""Writes the golden files of convolutions and pooling; run and read it as make_goldens.py.

    venv/bin/python Tests/Goldens/make_goldens_convolution.py

A case carries its settings as tensors: "conv2d_1/stride" is [2, 1], "conv2d_1/groups" a number.
"""

import torch
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, random, values

NAN = float("nan")
INFINITY = float("inf")


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def settings_of(numbers):
    """Pairs as [height, width]; numbers and truth values as they are."""
    return {
        key: list(value) if isinstance(value, tuple) else float(value)
        for key, value in numbers.items()
    }


def convolution(dtype):
    """x, weight, bias and the settings."""
    g = Goldens(dtype)

    def conv(name, x, weight, stride=1, padding=0, dilation=1, groups=1, bias=True):
        inputs = {"x": random(*x), "weight": random(*weight)}
        if bias:
            inputs["bias"] = random(weight[0])
        s = dict(stride=pair(stride), padding=pair(padding), dilation=pair(dilation), groups=groups)
        g.case(f"conv2d_{name}", lambda *t: F.conv2d(*t, **s), inputs, **settings_of(s))

    conv("plain", (2, 3, 5, 6), (4, 3, 3, 3))
    conv("without_bias", (2, 3, 5, 4), (2, 3, 3, 3), bias=False)
    conv("padding", (2, 2, 4, 5), (3, 2, 3, 3), padding=1)
    conv("padding_pair", (1, 2, 4, 5), (2, 2, 3, 2), padding=(2, 1))
    conv("stride", (2, 2, 7, 6), (3, 2, 3, 3), stride=2, padding=1)
    conv("stride_pair", (1, 2, 7, 8), (2, 2, 2, 3), stride=(3, 2))
    conv("stride_beyond_the_kernel", (1, 2, 7, 7), (2, 2, 1, 2), stride=3)
    conv("dilation", (1, 2, 7, 8), (2, 2, 3, 3), dilation=2)
    conv("dilation_pair", (1, 2, 7, 8), (2, 2, 3, 2), stride=(1, 2), padding=(2, 3), dilation=(2, 3))
    conv("groups", (2, 4, 5, 5), (6, 2, 3, 3), padding=1, groups=2)
    conv("depthwise", (2, 3, 5, 5), (6, 1, 3, 3), stride=2, padding=1, groups=3)
    conv("pointwise", (2, 4, 3, 4), (3, 4, 1, 1))
    conv("pointwise_stride", (2, 4, 5, 5), (3, 4, 1, 1), stride=2)
    conv("whole_image", (2, 3, 4, 3), (2, 3, 4, 3))
    conv("single_image", (2, 4, 5), (3, 2, 3, 3), padding=1)
    conv("everything", (2, 4, 8, 7), (6, 2, 3, 2), stride=(2, 3), padding=(2, 1), dilation=(2, 1),
         groups=2)

    def transposed(name, x, weight, stride=1, padding=0, output_padding=0, dilation=1, groups=1,
                   bias=True):
        inputs = {"x": random(*x), "weight": random(*weight)}
        if bias:
            inputs["bias"] = random(weight[1] * groups)
        s = dict(stride=pair(stride), padding=pair(padding), output_padding=pair(output_padding),
                 dilation=pair(dilation), groups=groups)
        g.case(f"conv_transpose2d_{name}", lambda *t: F.conv_transpose2d(*t, **s), inputs,
               **settings_of(s))

    transposed("plain", (2, 3, 3, 4), (3, 2, 3, 3))
    transposed("without_bias", (1, 2, 3, 3), (2, 2, 2, 3), bias=False)
    transposed("stride", (2, 2, 3, 3), (2, 3, 2, 2), stride=2)
    transposed("output_padding", (1, 2, 3, 3), (2, 2, 3, 3), stride=2, padding=1, output_padding=1)
    transposed("groups", (2, 4, 3, 3), (4, 2, 3, 3), padding=1, groups=2)
    transposed("pointwise", (2, 3, 3, 2), (3, 2, 1, 1))
    transposed("single_image", (2, 3, 3), (2, 2, 2, 2), stride=2)
    transposed("everything", (2, 4, 3, 4), (4, 3, 3, 2), stride=(2, 3), padding=(1, 2),
               output_padding=(1, 0), dilation=(2, 1), groups=2)
    return g


def pooling(dtype):
    """x and the settings."""
    g = Goldens(dtype)

    def distinct(*shape):
        """Numbers without ties, so that only one rule decides."""
        count = torch.Size(shape).numel()
        return (torch.randperm(count) - count // 2).reshape(shape) / 64

    def maximum(name, x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
        s = dict(stride=pair(stride or kernel), padding=pair(padding), dilation=pair(dilation),
                 ceil_mode=ceil_mode)
        g.case(f"max_pool2d_{name}", lambda t: F.max_pool2d(t, kernel, **s), {"x": x},
               **settings_of(dict(kernel=pair(kernel), **s)))

    maximum("plain", distinct(2, 2, 4, 6), 2)
    maximum("odd", distinct(1, 2, 5, 7), 2)
    maximum("overlapping", distinct(1, 2, 6, 5), 3, stride=1)
    maximum("padding", distinct(2, 1, 5, 6), 3, stride=2, padding=1)
    maximum("pairs", distinct(1, 2, 7, 6), (3, 2), stride=(2, 1), padding=(1, 0))
    maximum("dilation", distinct(1, 2, 7, 7), 2, stride=(1, 3), dilation=(2, 3))
    maximum("ceil_mode", distinct(1, 2, 6, 7), 3, stride=2, ceil_mode=True)
    maximum("ceil_mode_padding", distinct(1, 2, 5, 5), 2, stride=2, padding=1, ceil_mode=True)
    maximum("single_image", distinct(2, 4, 4), 2)
    maximum("ties", torch.ones(1, 1, 5, 5), 3, stride=2)
    edges = values(NAN, 1, 2, 3, 4, 5, NAN, NAN, -INFINITY, -INFINITY, INFINITY, 7, -INFINITY,
                   -INFINITY, INFINITY, INFINITY)
    maximum("edges", edges.reshape(1, 1, 4, 4), 2)

    def average(name, x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        s = dict(stride=pair(stride or kernel), padding=pair(padding), ceil_mode=ceil_mode,
                 count_include_pad=count_include_pad)
        g.case(f"avg_pool2d_{name}", lambda t: F.avg_pool2d(t, kernel, **s), {"x": x},
               **settings_of(dict(kernel=pair(kernel), **s)))

    average("plain", random(2, 2, 4, 6), 2)
    average("overlapping", random(1, 2, 6, 5), 3, stride=1)
    average("padding", random(2, 1, 5, 6), 3, stride=2, padding=1)
    average("padding_not_counted", random(2, 1, 5, 6), 3, stride=2, padding=1,
            count_include_pad=False)
    average("pairs", random(1, 2, 7, 6), (3, 2), stride=(2, 1), padding=(1, 0))
    average("ceil_mode", random(1, 2, 6, 7), 3, stride=2, ceil_mode=True)
    average("ceil_mode_padding", random(1, 2, 6, 7), 3, stride=3, padding=1, ceil_mode=True)
    average("ceil_mode_padding_not_counted", random(1, 2, 6, 7), 3, stride=3, padding=1,
            ceil_mode=True, count_include_pad=False)
    average("wide", random(1, 1, 2, 37), (2, 19), stride=(1, 3))
    average("single_image", random(2, 4, 4), 2)

    def adaptive(name, x, size):
        g.case(f"adaptive_avg_pool2d_{name}", lambda t: F.adaptive_avg_pool2d(t, size), {"x": x},
               **settings_of(dict(size=pair(size))))

    adaptive("global", random(2, 3, 5, 4), 1)
    adaptive("uneven", random(1, 2, 5, 7), (3, 4))
    adaptive("enlarging", random(1, 1, 2, 3), (5, 4))
    adaptive("single_image", random(2, 6, 4), (3, 2))
    return g


def layers(dtype):
    """A small network of every layer: x and the parameters under their names."""
    g = Goldens(dtype)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, stride=(2, 1), padding=1, groups=2), torch.nn.ReLU(),
        torch.nn.MaxPool2d(3, stride=2, padding=1), torch.nn.ConvTranspose2d(4, 3, 2, stride=2),
        torch.nn.Tanh(), torch.nn.AvgPool2d(2, padding=1, count_include_pad=False),
        torch.nn.Conv2d(3, 2, (1, 2), dilation=(1, 2), bias=False),
        torch.nn.AdaptiveAvgPool2d((2, 1)), torch.nn.Flatten())
    state = {key: random(*value.shape) for key, value in model.state_dict().items()}

    def run(x, *parameters):
        return torch.func.functional_call(model, dict(zip(state, parameters)), x)

    g.case("network", run, {"x": random(2, 2, 9, 8), **state})
    return g


def main():
    torch.set_num_threads(1)
    files = {
        ("TensorCoreTests", "convolution"): convolution,
        ("TensorCoreTests", "pooling"): pooling,
        ("NeuralNetworksTests", "convolution_layers"): layers,
    }
    for (tests, name), make in files.items():
        for type_name, dtype in TYPES.items():
            torch.manual_seed(0)
            make(dtype).write(tests, "Goldens", f"{name}.{type_name}.json")


if __name__ == "__main__":
    main()
