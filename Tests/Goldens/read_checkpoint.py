"""Opens weights that Lockstep saved in PyTorch: a check by hand that the two agree.

    python read_checkpoint.py RUN/checkpoints/step-000690
    python read_checkpoint.py model.safetensors --activation tanh

PATH is a safetensors file or the directory of a checkpoint, the model one of linear layers with an
activation between them. Prints the model and a line for each tensor. A model with 64 inputs and 10
outputs is then evaluated on the digits that come with Lockstep, on those kept for testing: loss and
accuracy are those that Lockstep reports, but for rounding. Needs torch and safetensors, of which
2.13.0 and 0.8.0 were tried.
"""

import argparse
import gzip
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

DIGITS = Path(__file__).resolve().parents[2] / "Sources" / "CDigits" / "digits.csv.gz"
ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


def build(state, activation):
    """The nn.Sequential whose state dictionary is `state`.

    The places of the linear layers are in the names ("1.weight"). Of the places between two of them
    the first is the activation and the rest dropout, which does nothing here; what comes before the
    first flattens the samples.
    """
    places = {int(name.split(".")[0]) for name in state}
    modules = []
    for place in range(max(places) + 1):
        if place in places:
            outputs, inputs = state[f"{place}.weight"].shape
            modules.append(nn.Linear(inputs, outputs, bias=f"{place}.bias" in state))
        elif not any(isinstance(module, nn.Linear) for module in modules):
            modules.append(nn.Flatten())
        elif isinstance(modules[-1], nn.Linear):
            modules.append(activation())
        else:
            modules.append(nn.Identity())
    model = nn.Sequential(*modules)
    model.load_state_dict(state)
    return model.eval()


def digits():
    """The test samples, pixels from 0 to 1, and their labels: every fifth, from index 4."""
    with gzip.open(DIGITS, "rt") as file:
        rows = torch.tensor([[int(cell) for cell in line.split(",")] for line in file])[4::5]
    return rows[:, :-1] / 16, rows[:, -1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="a safetensors file or a checkpoint's directory")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    arguments = parser.parse_args()

    path = arguments.path / "model.safetensors" if arguments.path.is_dir() else arguments.path
    state = load_file(path)
    model = build(state, ACTIVATIONS[arguments.activation])
    print(model)
    for name, value in state.items():
        print(f"{name}  {list(value.shape)}  {value.dtype}  "
              f"mean {value.mean():.6f}  deviation {value.std(correction=0):.6f}")
    print(f"{sum(value.numel() for value in state.values())} parameters")

    linear = [module for module in model if isinstance(module, nn.Linear)]
    if (linear[0].in_features, linear[-1].out_features) == (64, 10):
        inputs, labels = digits()
        with torch.no_grad():
            logits = model(inputs)
        accuracy = (logits.argmax(1) == labels).double().mean()
        print(f"digits, {len(labels)} test samples: loss {F.cross_entropy(logits, labels):.6f}, "
              f"accuracy {accuracy:.6f}")


if __name__ == "__main__":
    main()
