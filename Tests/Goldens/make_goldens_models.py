"""Writes the golden files of whole models, of the benchmarks' workloads and of a GPT-2 file.

    venv/bin/python Tests/Goldens/make_goldens_models.py

The environment and the form of the files are those of make_goldens.py. The networks have the names
of torchvision and Hugging Face. Their parameters, in the order of `named_parameters()`, which is
Lockstep's as well, and their data come from `ModelGenerator`, so that no file holds them.
"""

import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

from make_goldens import TESTS, Generator, Goldens, train

sys.path.append(str(TESTS.parent / "Benchmarks"))
from torch_bench import W as BENCHMARKS, mobilenet


class ModelGenerator(Generator):
    """What draws parameters and data, computed in float64 and rounded to float32 at the end.

    With this start rounding hardly moves the losses of the workloads. With others some unit stands
    so near zero that rounding decides whether ReLU lets it pass.
    """

    def __init__(self):
        super().__init__(start=3)

    def uniform(self, *shape, bound=1.0, center=0.0):
        """Numbers from center - bound to below center + bound: center + bound (2 u - 1)."""
        return (center + bound * (2 * self.draw(*shape) - 1)).float()

    def integers(self, *shape, below):
        """Numbers from 0 to below - 1: floor(u below)."""
        return (self.draw(*shape) * below).floor().long()

    def fill(self, model):
        """Gives all parameters numbers with which signals neither vanish nor explode.

        Those of several axes lie within 2 / sqrt(n), n numbers standing under each index of the
        first axis; the factors of normalisations within 1/4 of 1/2; biases within 1/10 of 0.

        The factors of batch normalisation lie within 1/16 of 1/8, its biases within 1/10 of 3/20.
        Most of its results are positive then, and few so near zero, where ReLU bends, that rounding
        can push them to the other side.
        """
        for name, parameter in model.named_parameters():
            shape = parameter.shape
            is_batch_norm = "bn" in name or "downsample.1" in name
            if len(shape) > 1:
                bound, center = 2 / math.sqrt(parameter.numel() // shape[0]), 0
            elif name.endswith("weight"):
                bound, center = (1 / 16, 1 / 8) if is_batch_norm else (1 / 4, 1 / 2)
            else:
                bound, center = 0.1, 0.15 if is_batch_norm else 0
            values = self.uniform(*shape, bound=bound, center=center)
            parameter.data = values.to(parameter.dtype)
        return model


# ---------------------------------------------------------------------------------------------
# The networks


def mlp(*sizes, activation=nn.ReLU, last=()):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], *last)


def lenet(channels, size, classes):
    side = ((size + (4 if size < 32 else 0) - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2 if size < 32 else 0), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * side**2, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, classes))


def cnn(channels, size, classes):
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * ((size - 4) // 2)**2, 128), nn.ReLU(),
        nn.Linear(128, classes))


class VGG(nn.Module):
    def __init__(self, depth, size, classes, hidden):
        super().__init__()
        repeats = {11: [1, 1, 2, 2, 2], 13: [2] * 5, 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}
        layers, inputs = [], 3
        for count, outputs in zip(repeats[depth], [64, 128, 256, 512, 512]):
            for _ in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(512 * (size // 32)**2, hidden), nn.ReLU(), nn.Dropout(0),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0), nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Residual(nn.Module):
    def __init__(self, inputs, width, stride, is_bottleneck):
        super().__init__()
        # The sizes and strides of the convolutions; a bottleneck's last has four times the outputs.
        plan = [(1, 1), (3, stride), (1, 1)] if is_bottleneck else [(3, stride), (3, 1)]
        self.count, self.outputs = len(plan), width * (4 if is_bottleneck else 1)
        channels = [inputs] + [width] * (len(plan) - 1) + [self.outputs]
        for i, (size, step) in enumerate(plan):
            convolution = nn.Conv2d(*channels[i:i + 2], size, step, size // 2, bias=False)
            setattr(self, f"conv{i + 1}", convolution)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        self.downsample = None
        if stride > 1 or inputs != self.outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, self.outputs, 1, stride, bias=False),
                nn.BatchNorm2d(self.outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    def __init__(self, depth, is_cifar, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(
            3, 64, 3 if is_cifar else 7, 1 if is_cifar else 2, 1 if is_cifar else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pooling = nn.Identity() if is_cifar else nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate([2, 2, 2, 2] if depth == 18 else [3, 4, 6, 3]):
            blocks = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(Residual(inputs, 64 * 2**stage, stride, depth == 50))
                inputs = blocks[-1].outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.pooling(self.bn1(self.conv1(x)).relu())
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


class Projection(nn.Module):
    """A dense layer whose weight is [inputs, outputs]: Hugging Face's Conv1D."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class TransformerBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.ModuleDict(
            {"c_attn": Projection(width, 3 * width), "c_proj": Projection(width, width)})
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": Projection(width, 4 * width), "c_proj": Projection(4 * width, width)})

    def forward(self, x):
        parts = self.attn["c_attn"](self.ln_1(x)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).masked_fill(~mask, -math.inf)
        attention = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + self.attn["c_proj"](attention)
        hidden = F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh")
        return x + self.mlp["c_proj"](hidden)


class GPT(nn.Module):
    def __init__(self, vocabulary, context, layers, heads, width):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList([TransformerBlock(width, heads) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[:tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


# ---------------------------------------------------------------------------------------------
# The files


def models():
    """Outputs and gradients in float64, from parameters and inputs that are float32 numbers.

    One generator draws the parameters, the inputs (numbers from -1 to 1, or tokens) and the
    gradient of the output, from -1 to 1. `CASE/gradients` [P, 2] has for each parameter the
    Euclidean norm of its gradient and the sum of the gradient's elements, each times
    (i mod 101) / 50 - 1 if it is element i in row-major order. Batch normalisation is in training.
    """
    g = Goldens(torch.float32)
    image, large_image = [2, 3, 32, 32], [4, 3, 64, 64]
    cases = {
        "lenet": (lenet(1, 28, 5), [2, 1, 28, 28]),
        "cnn": (cnn(1, 28, 5), [2, 1, 28, 28]),
        **{f"vgg{depth}": (VGG(depth, 32, 5, 16), image) for depth in [11, 13, 16, 19]},
        **{f"resnet{depth}-cifar": (ResNet(depth, True, 5), image) for depth in [18, 34, 50]},
        **{f"resnet{depth}": (ResNet(depth, False, 5), large_image) for depth in [18, 34, 50]},
        "gpt": (GPT(11, 8, 2, 2, 8), [2, 6]),
    }
    for name, (model, shape) in cases.items():
        generator = ModelGenerator()
        generator.fill(model.double())
        if name == "gpt":
            x = generator.integers(*shape, below=11)
        else:
            x = generator.uniform(*shape).double()
        output = model(x)
        output.backward(generator.uniform(*output.shape).double())
        rows = []
        for parameter in model.parameters():
            gradient = parameter.grad.flatten()
            factors = torch.arange(gradient.numel()).remainder(101).double() / 50 - 1
            rows.append(torch.stack([gradient.norm(), gradient @ factors]))
        g.add(f"{name}/output", output.float())
        g.add(f"{name}/gradients", torch.stack(rows).float())
    return g


def norm(model):
    return torch.cat([p.detach().double().flatten() for p in model.parameters()]).norm()


def workloads():
    """The first ten losses of the benchmarks' workloads, with fewer samples and some with smaller
    networks, in float32 and with autocast to bfloat16, and the Euclidean norm of all parameters after the ten
    steps in float32.

    One generator draws the parameters, the inputs (numbers from -1 to 1, or tokens) and the targets
    (0 or 1, or classes, or tokens). Loss, learning rate and momentum are those of the benchmark;
    `NAME/inputs` and `NAME/targets` are the shapes of the benchmark's data, `NAME/parameters` is
    the number of its model's parameters.
    """
    g = Goldens()
    cases = {
        # name: (model, shape of the inputs, number of classes or tokens)
        "mlp-tiny": (mlp(2, 3, 1, activation=nn.Sigmoid, last=[nn.Sigmoid()]), [32, 2], 1),
        "mlp-seed": (mlp(784, 200, 1), [1000, 784], 1),
        "mlp": (mlp(784, 64, 64, 10), [16, 784], 10),
        "cnn": (cnn(1, 28, 10), [8, 1, 28, 28], 10),
        "resnet18": (ResNet(18, True, 10), [4, 3, 16, 16], 10),
        "vgg16-cifar": (VGG(16, 32, 10, 512), [2, 3, 32, 32], 10),
        "vgg16-224": (VGG(16, 64, 100, 64), [2, 3, 64, 64], 100),
        "gpt-char": (GPT(65, 64, 2, 4, 128), [4, 64], 65),
        "gpt2-124m": (GPT(97, 32, 2, 2, 16), [4, 16], 97),
        "resnet18-b8": (ResNet(18, True, 10), [2, 3, 16, 16], 10),
        "resnet18-b128": (ResNet(18, True, 10), [8, 3, 16, 16], 10),
        "resnet50-224": (ResNet(50, False, 1000), [4, 3, 64, 64], 1000),
        "mobilenet": (mobilenet(100), [4, 3, 64, 64], 100),
        "gpt-512": (GPT(65, 512, 2, 2, 64), [1, 512], 65),
    }
    assert cases.keys() == BENCHMARKS.keys()
    for name, (model, shape, count) in cases.items():
        make, data, rate, momentum = BENCHMARKS[name]
        inputs, targets, loss = data()
        g.add(f"{name}/inputs", list(inputs.shape))
        g.add(f"{name}/targets", list(targets.shape))
        g.add(f"{name}/parameters", sum(p.numel() for p in make().parameters()))
        g.add(f"{name}/learning_rate", rate)
        g.add(f"{name}/momentum", momentum)
        histories = {}
        for dtype in [torch.float64, torch.float32]:
            generator = ModelGenerator()
            generator.fill(model.to(dtype))
            if isinstance(model, GPT):
                x, y = (generator.integers(*shape, below=count) for _ in range(2))
                losses = lambda z, y: loss(z.flatten(0, 1), y.flatten())
            else:
                x, losses = generator.uniform(*shape).to(dtype), loss
                if count == 1:
                    y = generator.integers(shape[0], 1, below=2).to(dtype)
                else:
                    y = generator.integers(shape[0], below=count)
            histories[dtype] = train(model, x, y, losses, rate, momentum, 10).double()
        g.add(f"{name}/losses", histories[torch.float32].float())
        g.add(f"{name}/norm", norm(model))
        generator = ModelGenerator()
        generator.fill(model)
        # Weights change in every step: no cache of rounded ones.
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            narrow = train(model, x, y, losses, rate, momentum, 10)
        g.add(f"{name}/losses_bfloat16", narrow.float())
        error = (histories[torch.float32] - histories[torch.float64]).abs().max()
        print(f"{name}: rounding to float32 moves losses by {error:.0e}")
    return g


def gpt2():
    """`gpt2.safetensors`, as Hugging Face publishes GPT-2, and what that model computes.

    The file has no prefix and holds the causal masks as numbers. The model has 11 tokens, 8
    positions, 2 layers, 2 heads and width 8; gpt2.json has `tokens` [2, 6] and `logits` [2, 6, 11],
    computed in float64. GPT2LMHeadModel of transformers 5.23.0 reads the file and gives the same to
    1e-15.
    """
    g = Goldens(torch.float32)
    generator = ModelGenerator()
    model = generator.fill(GPT(11, 8, 2, 2, 8))
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(8, 8).tril()[None, None]
    file = TESTS / "CheckpointingTests" / "Goldens" / "gpt2.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    tokens = generator.integers(2, 6, below=11)
    g.add("tokens", tokens)
    g.add("logits", model.double()(tokens).float())
    return g


def main():
    torch.set_num_threads(1)
    models().write("NeuralNetworksTests", "Goldens", "models.json")
    workloads().write("BenchmarkingTests", "Goldens", "workloads.json")
    gpt2().write("CheckpointingTests", "Goldens", "gpt2.json")


if __name__ == "__main__":
    main()
