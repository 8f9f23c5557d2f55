"""Writes the golden files of recurrent networks and of further activations.

    venv/bin/python Tests/Goldens/make_goldens_recurrent.py

The environment and the form of the files are those of make_goldens.py.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from make_goldens import TYPES, Goldens, random, values
from make_goldens_networks import fill, record


def more_activations(dtype):
    """Functions of `x` and of what stands beside it."""
    g = Goldens(dtype)
    spread = values(-30, -8, -6, -3, -1.5, -1, -0.5, -1 / 64, 0, 1 / 64, 0.5, 1, 2.5, 3, 6, 15)
    for name, function in {
        "hardtanh": F.hardtanh,
        "hardtanh_limits": lambda x: F.hardtanh(x, -0.5, 2.5),
        "relu6": F.relu6,
        # The gradient of F.hardsigmoid has a float32 1/6 in float64, too.
        "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
        "hardswish": F.hardswish,
        "mish": F.mish,
        "selu": F.selu,
        "celu": F.celu,
        "celu_alpha": lambda x: F.celu(x, 0.5),
        "log_sigmoid": F.logsigmoid,
        "softsign": F.softsign,
        "hardshrink": F.hardshrink,
        "softshrink": F.softshrink,
        "tanhshrink": F.tanhshrink,
        "threshold": lambda x: F.threshold(x, 0.5, 20),
    }.items():
        g.case(name, function, {"x": spread})
    g.case("glu", F.glu, {"x": random(3, 6)})
    g.case("glu_axis", lambda x: F.glu(x, 1), {"x": random(2, 4, 3)})
    g.case("prelu", F.prelu, {"x": random(3, 4), "weight": random(1)})
    g.case("prelu_channels", F.prelu, {"x": random(2, 3, 2, 2), "weight": random(3)})
    g.case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), {"x": random(2, 8, 2, 3)})
    g.case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), {"x": random(2, 3, 4, 6)})
    g.case("bilinear", F.bilinear,
           {"x": random(2, 3, 4), "x2": random(2, 3, 5), "weight": random(6, 4, 5), "bias": random(6)})
    indices = torch.tensor([[2, 0, 2], [1, 4, 2]], dtype=torch.int32)
    g.case("embedding_padding", lambda i, w: F.embedding(i.long(), w, padding_idx=2),
           {"indices": indices, "weight": random(5, 4)})
    for mode in ["sum", "mean", "max"]:
        g.case(f"embedding_bag_{mode}", lambda i, w: F.embedding_bag(i.long(), w, mode=mode),
               {"indices": indices, "weight": random(5, 4)})
    return g


def recurrent_networks():
    """Networks in float32, batch first: inputs `x`, `h0`, `c0`, outputs `output`, `h`, `c`.

    Sequences have the lengths `CASE/lengths` where there are any.
    """
    g = Goldens()
    leaf = lambda *shape: random(*shape).requires_grad_()
    lengths = [2, 5, 1, 4]
    for kind, make in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
        for case, options, packed in [
            ("bidirectional", {"bidirectional": True}, False),
            ("bidirectional_layers", {"bidirectional": True, "num_layers": 2}, False),
            ("packed", {}, True),
            ("packed_layers", {"num_layers": 2, "bias": False}, True),
            ("packed_bidirectional", {"bidirectional": True, "num_layers": 2}, True),
        ]:
            name = f"{kind}_{case}"
            module = fill(make(3, 4, batch_first=True, **options))
            states = module.num_layers * (2 if module.bidirectional else 1)
            x, h0, c0 = leaf(4, 5, 3), leaf(states, 4, 4), leaf(states, 4, 4)
            initial = (h0, c0) if kind == "lstm" else h0
            sequence = x
            if packed:
                g.add(f"{name}/lengths", lengths)
                sequence = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, final = module(sequence, initial)
            if packed:
                output, _ = pad_packed_sequence(output, batch_first=True)
            if kind == "lstm":
                record(g, name, module, {"output": output, "h": final[0], "c": final[1]},
                       {"x": x, "h0": h0, "c0": c0})
            else:
                record(g, name, module, {"output": output, "h": final}, {"x": x, "h0": h0})
    return g


class LSTMModel(nn.Module):
    """The text model `lstm`, with the names of PyTorch's example word_language_model."""

    def __init__(self, tokens, width, hidden, layers, tied):
        super().__init__()
        self.encoder = nn.Embedding(tokens, width)
        self.rnn = nn.LSTM(width, hidden, layers, batch_first=True)
        self.decoder = nn.Linear(hidden, tokens)
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.rnn(self.encoder(x))[0])


def text_models():
    """The model `lstm` in float32: logits `output` of `tokens`, with own and with tied weights."""
    g = Goldens()
    for case, model in {
        "lstm": LSTMModel(7, 6, 5, 2, False), "lstm_tied": LSTMModel(7, 6, 6, 2, True),
    }.items():
        fill(model)
        tokens = torch.tensor([[0, 3, 6, 2, 2], [5, 1, 0, 4, 6]])
        record(g, case, model, {"output": model(tokens)}, {"tokens": tokens})
    return g


def main():
    torch.set_num_threads(1)
    for name, dtype in TYPES.items():
        torch.manual_seed(0)
        more_activations(dtype).write("NeuralNetworksTests", "Goldens", f"more_activations.{name}.json")
    for make in [recurrent_networks, text_models]:
        torch.manual_seed(0)
        make().write("NeuralNetworksTests", "Goldens", f"{make.__name__}.json")


if __name__ == "__main__":
    main()
