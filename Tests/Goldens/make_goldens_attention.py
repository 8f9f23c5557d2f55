"""Writes the golden files of attention with masks, rotary embedding and RMSNorm.

    venv/bin/python Tests/Goldens/make_goldens_attention.py

The environment and the form of the files are those of make_goldens.py.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, random
from make_goldens_networks import fill, record


def attention(dtype):
    """Functions of q, k, v and a mask; a condition is true where a query attends to a key."""
    g = Goldens(dtype)

    def case(name, q, k, value=None, mask=None, constants=(), **options):
        inputs = {"q": random(*q), "k": random(*k), "v": random(*k[:-1], value or k[-1])}
        if mask is not None:
            inputs["mask" if mask.is_floating_point() else "condition"] = mask
        function = lambda q, k, v, mask=None: F.scaled_dot_product_attention(q, k, v, mask, **options)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            g.case(name, function, inputs, constants)

    q, k = [2, 2, 5, 4], [2, 2, 7, 4]
    for name, shape in {"matrix": [5, 7], "batch": [2, 1, 5, 7], "heads": [2, 5, 7], "full": [2, 2, 5, 7],
                        "keys": [2, 1, 1, 7], "queries": [5, 1]}.items():
        if name != "queries":  # the gradient would be 0 but for rounding
            case(f"mask_{name}", q, k, mask=random(*shape))
        case(f"mask_{name}_constant", q, k, mask=random(*shape), constants=["mask"])
    hidden = torch.rand(2, 1, 5, 7) < 0.4
    hidden[1, 0, 2] = True  # a query that sees no key
    case("mask_infinite", q, k, mask=torch.zeros(2, 1, 5, 7).masked_fill(hidden, -torch.inf),
         constants=["mask"])
    case("condition", q, k, mask=~hidden)
    case("condition_matrix", q, k, mask=torch.rand(5, 7) < 0.5)
    case("padding", q, k, mask=(torch.arange(7) < torch.tensor([[4], [7]]))[:, None, None])
    case("grouped", [2, 6, 5, 4], [2, 2, 7, 4], enable_gqa=True)
    case("grouped_one", [2, 3, 5, 4], [2, 1, 5, 4], enable_gqa=True, is_causal=True)
    case("grouped_mask", [2, 4, 5, 4], k, mask=random(2, 4, 5, 7), enable_gqa=True)
    case("grouped_mask_constant", [2, 4, 5, 4], k, mask=random(2, 4, 5, 7), constants=["mask"], enable_gqa=True)
    case("value_width", q, k, value=3)
    case("scale", q, k, scale=0.25)
    blocks = torch.rand(70, 131) < 0.5
    blocks[:5, :64] = False
    blocks[5:8, 64:] = False
    blocks[8] = False
    case("condition_blocks", [1, 1, 70, 3], [1, 1, 131, 3], mask=blocks)
    case("grouped_blocks", [1, 4, 70, 3], [1, 2, 70, 3], enable_gqa=True, is_causal=True)
    case("three_axes", [2, 5, 4], [2, 7, 4], mask=random(2, 5, 7), constants=["mask"])

    g.case("rms_norm", lambda x, w: F.rms_norm(x, [5], w, 1e-5), {"x": random(2, 3, 5), "weight": random(5)})
    g.case("rms_norm_plain", lambda x: F.rms_norm(x, [5]), {"x": random(4, 5)})
    g.case("rms_norm_axes", lambda x, w: F.rms_norm(x, [3, 5], w), {"x": random(4, 3, 5), "weight": random(3, 5)})
    g.case("rms_norm_wide", lambda x, w: F.rms_norm(x, [37], w, 1e-6),
           {"x": random(9, 37), "weight": random(37)})

    angles = {"cos": random(5, 3), "sin": random(5, 3)}
    g.case("rotary_halves", rotate_halves, {"x": random(2, 3, 5, 6), **angles}, ["cos", "sin"])
    g.case("rotary_neighbors", rotate_neighbors, {"x": random(2, 3, 5, 6), **angles}, ["cos", "sin"])
    g.case("rotary_part", lambda x, cos, sin: torch.cat([rotate_halves(x[..., :6], cos, sin), x[..., 6:]], -1),
           {"x": random(2, 3, 5, 8), **angles}, ["cos", "sin"])
    return g


def rotate_halves(x, cos, sin):
    """apply_rotary_pos_emb of Hugging Face's modeling_llama.py."""
    cos, sin = torch.cat([cos, cos], -1), torch.cat([sin, sin], -1)
    first, second = x[..., :x.shape[-1] // 2], x[..., x.shape[-1] // 2:]
    return x * cos + torch.cat([-second, first], -1) * sin


def rotate_neighbors(x, cos, sin):
    """apply_rotary_emb of Meta's llama/model.py."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.complex(cos, sin)).flatten(-2)


def attention_layers():
    """nn.MultiheadAttention with masks, in which true says that a key is not seen."""
    g = Goldens()
    leaf = lambda *shape: random(*shape).requires_grad_()
    module = fill(nn.MultiheadAttention(6, 2, batch_first=True))
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    hidden = torch.rand(4, 4) < 0.3
    hidden[:, 0] = False
    added = random(4, 4)
    x = leaf(2, 4, 6)
    for case, options in {
        "padding": {"key_padding_mask": padding}, "hidden": {"attn_mask": hidden}, "added": {"attn_mask": added},
        "both": {"key_padding_mask": padding, "attn_mask": hidden},
    }.items():
        module.zero_grad()
        x = x.detach().clone().requires_grad_()
        output, _ = module(x, x, x, need_weights=False, **options)
        record(g, case, module, {"output": output}, {"x": x})
    module = fill(nn.MultiheadAttention(6, 3, batch_first=True))
    q, k, v = leaf(2, 3, 6), leaf(2, 4, 6), leaf(2, 4, 6)
    output, _ = module(q, k, v, key_padding_mask=padding, need_weights=False)
    record(g, "cross", module, {"output": output}, {"query": q, "key": k, "value": v})
    layer = lambda kind, **options: fill(
        kind(6, 2, 10, dropout=0, batch_first=True, **options))
    for case, options in {"encoder": {}, "encoder_first": {"norm_first": True, "activation": "gelu"}}.items():
        module, x = layer(nn.TransformerEncoderLayer, **options), leaf(2, 4, 6)
        output = module(x, src_key_padding_mask=padding)
        record(g, case, module, {"output": output}, {"x": x})
        module, x, memory = layer(nn.TransformerDecoderLayer, **options), leaf(2, 3, 6), leaf(2, 4, 6)
        causal = nn.Transformer.generate_square_subsequent_mask(3)
        output = module(x, memory, tgt_mask=causal, memory_key_padding_mask=padding)
        record(g, case.replace("encoder", "decoder"), module, {"output": output}, {"x": x, "memory": memory})
    g.add("masks/padding", padding)
    g.add("masks/hidden", hidden)
    g.add("masks/added", added)
    return g


def main():
    for name, dtype in TYPES.items():
        torch.manual_seed(0)
        attention(dtype).write("NeuralNetworksTests", "Goldens", f"attention.{name}.json")
    torch.manual_seed(0)
    attention_layers().write("NeuralNetworksTests", "Goldens", "attention_layers.json")


if __name__ == "__main__":
    main()
