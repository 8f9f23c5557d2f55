"""Writes the golden files of normalisation, attention, recurrent layers, losses and AdamW.

    venv/bin/python Tests/Goldens/make_goldens_networks.py

The environment and the form of the files are those of make_goldens.py. Files of layers are float32,
with the state dictionary under CASE/state/NAME.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, nonzero, positive, random, values


def networks(dtype):
    """Functions of `x` and of what stands beside it."""
    g = Goldens(dtype)
    spread = values(-30, -8, -3, -1.5, -0.5, -1 / 64, 0, 1 / 64, 0.5, 1, 2.5, 6, 15)
    for name, function in {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
        "softplus": F.softplus,
        "leaky_relu": F.leaky_relu,
        "leaky_relu_slope": lambda x: F.leaky_relu(x, 0.25),
        "elu": F.elu,
        "elu_alpha": lambda x: F.elu(x, 0.5),
        "erf": torch.erf,
    }.items():
        x = spread if name != "elu" else spread[spread != 0]
        if name.startswith(("leaky", "elu")):
            x = spread[spread != 0]
        g.case(name, function, {"x": x})

    affine = {"weight": random(5), "bias": random(5)}
    g.case("layer_norm", lambda x, w, b: F.layer_norm(x, [5], w, b), {"x": random(2, 3, 5), **affine})
    g.case("layer_norm_plain", lambda x: F.layer_norm(x, [5]), {"x": random(4, 5)})
    g.case("layer_norm_far", lambda x: F.layer_norm(x, [64]), {"x": random(3, 64) + 100})
    g.case("layer_norm_two_axes", lambda x, w, b: F.layer_norm(x, [3, 5], w, b),
           {"x": random(4, 3, 5), "weight": random(3, 5), "bias": random(3, 5)})
    g.case("layer_norm_wide", lambda x, w, b: F.layer_norm(x, [37], w, b),
           {"x": random(9, 37), "weight": random(37), "bias": random(37)})

    channels = {"weight": random(6), "bias": random(6)}
    g.case("group_norm", lambda x, w, b: F.group_norm(x, 3, w, b), {"x": random(2, 6, 2, 3), **channels})
    g.case("group_norm_matrix", lambda x, w, b: F.group_norm(x, 2, w, b), {"x": random(3, 6), **channels})
    for name, shape in {"matrix": [7, 6], "sequence": [3, 6, 5], "images": [2, 6, 3, 4]}.items():
        g.case(f"batch_norm_{name}", lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
               {"x": random(*shape), **channels})
        given = {"mean": random(6), "variance": positive(6)}
        g.case(f"batch_norm_given_{name}",
               lambda x, w, b, mean, variance: F.batch_norm(x, mean, variance, w, b),
               {"x": random(*shape), **channels, **given}, ["mean", "variance"])

    indices = torch.tensor([[2, 0, 2], [1, 4, 2]], dtype=torch.int32)
    g.case("embedding", lambda i, w: F.embedding(i.long(), w), {"indices": indices, "weight": random(5, 4)})

    def attention(name, q, k, causal):
        function = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        inputs = {"q": random(*q), "k": random(*k), "v": random(*k)}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            g.case(name, function, inputs)

    attention("attention", [2, 2, 4, 3], [2, 2, 6, 3], False)
    attention("attention_causal", [2, 2, 5, 4], [2, 2, 5, 4], True)
    attention("attention_causal_fewer_queries", [1, 2, 3, 4], [1, 2, 5, 4], True)
    attention("attention_causal_more_queries", [1, 2, 5, 4], [1, 2, 3, 4], True)
    attention("attention_blocks", [1, 1, 70, 3], [1, 1, 131, 3], False)
    attention("attention_causal_blocks", [1, 1, 131, 3], [1, 1, 131, 3], True)
    return g


def more_losses(dtype):
    """Losses, each as CASE_none, CASE_sum and CASE_mean."""
    g = Goldens(dtype)
    labels = torch.tensor([2, 0, 3, -100, 3, 1], dtype=torch.int32)
    all_counted = torch.tensor([2, 0, 3, 0, 3, 1], dtype=torch.int32)
    logits, weights = random(6, 4), positive(4)
    nll_inputs = random(6, 4).log_softmax(1)
    pair = {"prediction": random(4, 3), "target": random(4, 3)}
    target = positive(4, 3).softmax(1)
    with_zero = torch.tensor([[0.5, 0, 0.5], [1, 0, 0], [0.25, 0.25, 0.5], [0, 0, 1]])
    prediction = random(4, 3).log_softmax(1)
    every = {
        "l1": (F.l1_loss, pair, []),
        "huber": (F.huber_loss, pair, []),
        "huber_delta": (lambda p, t, reduction: F.huber_loss(p, t, delta=0.5, reduction=reduction), pair, []),
        "cross_entropy_smooth": (entropy(label_smoothing=0.1), {"logits": logits, "labels": all_counted}, []),
        "cross_entropy_ignore": (entropy(), {"logits": logits, "labels": labels}, []),
        "cross_entropy_weights": (
            entropy(), {"logits": logits, "labels": all_counted, "weights": weights}, ["weights"]),
        "cross_entropy_all": (
            entropy(label_smoothing=0.2), {"logits": logits, "labels": labels, "weights": weights},
            ["weights"]),
        "nll": (likelihood, {"prediction": nll_inputs, "labels": all_counted}, []),
        "nll_all": (
            likelihood, {"prediction": nll_inputs, "labels": labels, "weights": weights}, ["weights"]),
        "hinge": (hinge(1.0), {"logits": logits, "labels": all_counted}, []),
        "hinge_margin": (hinge(0.5), {"logits": logits, "labels": all_counted}, []),
        "kl": (F.kl_div, {"prediction": prediction, "target": target}, []),
        "kl_zero": (F.kl_div, {"prediction": prediction, "target": with_zero}, ["target"]),
        "kl_log": (lambda p, t, reduction: F.kl_div(p, t, log_target=True, reduction=reduction),
                   {"prediction": prediction, "target": target.log()}, []),
    }
    for name, (loss, inputs, constants) in every.items():
        for reduction in ["none", "sum", "mean"]:
            g.case(f"{name}_{reduction}", lambda *x: loss(*x, reduction=reduction), inputs, constants)
    return g


def entropy(**options):
    def loss(logits, labels, weights=None, *, reduction):
        return F.cross_entropy(logits, labels.long(), weights, reduction=reduction, **options)
    return loss


def likelihood(prediction, labels, weights=None, *, reduction):
    return F.nll_loss(prediction, labels.long(), weights, reduction=reduction)


def hinge(margin):
    def loss(scores, labels, reduction):
        classes = scores.shape[1]
        return classes * F.multi_margin_loss(scores, labels.long(), margin=margin, reduction=reduction)
    return loss


def fill(module):
    """Gives all parameters numbers that both types hold exactly."""
    for parameter in module.parameters():
        parameter.data = random(*parameter.shape) / 4
    return module


def record(g, case, module, outputs, inputs):
    """Records the state, inputs, outputs and all gradients, backward starting from random numbers."""
    for name, value in inputs.items():
        g.add(f"{case}/{name}", value)
    seeds = [nonzero(*output.shape) for output in outputs.values()]
    torch.autograd.backward(list(outputs.values()), seeds)
    for (name, output), seed in zip(outputs.items(), seeds):
        g.add(f"{case}/{name}", output)
        g.add(f"{case}/{name}.grad", seed)
    for name, value in inputs.items():
        if value.grad is not None:
            g.add(f"{case}/{name}.grad", value.grad)
    for name, parameter in module.named_parameters():
        g.add(f"{case}/state/{name}", parameter)
        g.add(f"{case}/gradient/{name}", parameter.grad)


def layers():
    """Attention and recurrent layers in float32, batch first.

    `x` and initial states `h0`, `c0`; outputs `output`, `h`, `c`; `state/NAME` and `gradient/NAME`.
    """
    g = Goldens()
    leaf = lambda *shape: random(*shape).requires_grad_()

    for case, causal in [("attention_self", False), ("attention_self_causal", True)]:
        module = fill(nn.MultiheadAttention(6, 2, batch_first=True))
        x = leaf(2, 4, 6)
        mask = nn.Transformer.generate_square_subsequent_mask(4) if causal else None
        output, _ = module(x, x, x, attn_mask=mask, need_weights=False)
        record(g, case, module, {"output": output}, {"x": x})
    module = fill(nn.MultiheadAttention(6, 3, bias=False, batch_first=True))
    q, k, v = leaf(2, 3, 6), leaf(2, 5, 6), leaf(2, 5, 6)
    output, _ = module(q, k, v, need_weights=False)
    record(g, "attention_cross", module, {"output": output}, {"query": q, "key": k, "value": v})

    for case, module in {
        "rnn_cell": nn.RNNCell(3, 4), "rnn_cell_relu": nn.RNNCell(3, 4, nonlinearity="relu"),
        "gru_cell": nn.GRUCell(3, 4), "gru_cell_no_bias": nn.GRUCell(3, 4, bias=False),
    }.items():
        fill(module)
        x, h0 = leaf(2, 3), leaf(2, 4)
        record(g, case, module, {"output": module(x, h0)}, {"x": x, "h0": h0})
    module = fill(nn.LSTMCell(3, 4))
    x, h0, c0 = leaf(2, 3), leaf(2, 4), leaf(2, 4)
    h, c = module(x, (h0, c0))
    record(g, "lstm_cell", module, {"output": h, "c": c}, {"x": x, "h0": h0, "c0": c0})

    for case, module in {
        "rnn": nn.RNN(3, 4, batch_first=True),
        "rnn_layers": nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True),
        "gru": nn.GRU(3, 4, batch_first=True), "gru_layers": nn.GRU(3, 4, 2, batch_first=True),
    }.items():
        fill(module)
        x, h0 = leaf(2, 5, 3), leaf(module.num_layers, 2, 4)
        output, h = module(x, h0)
        record(g, case, module, {"output": output, "h": h}, {"x": x, "h0": h0})
    for case, layers in [("lstm", 1), ("lstm_layers", 2)]:
        module = fill(nn.LSTM(3, 4, layers, batch_first=True))
        x, h0, c0 = leaf(2, 5, 3), leaf(layers, 2, 4), leaf(layers, 2, 4)
        output, (h, c) = module(x, (h0, c0))
        record(g, case, module, {"output": output, "h": h, "c": c}, {"x": x, "h0": h0, "c0": c0})
    return g


def running_statistics():
    """Batch normalisation in float32: three batches `CASE/x` [3, ...] in training, then evaluation.

    `output` [3, ...] are the results in training, `running_mean` and `running_var` [3, C] the
    statistics after each, `evaluated` [3, ...] the same batches in evaluation mode at the end.
    """
    g = Goldens()
    for case, module, shape in [
        ("matrix", nn.BatchNorm1d(4), [5, 4]), ("sequence", nn.BatchNorm1d(4), [3, 4, 2]),
        ("images", nn.BatchNorm2d(4, momentum=0.25, eps=1e-3), [2, 4, 3, 2]),
        ("images_plain", nn.BatchNorm2d(4, affine=False), [2, 4, 3, 2]),
    ]:
        fill(module)
        for name, parameter in module.named_parameters():
            g.add(f"{case}/state/{name}", parameter)
        x = random(3, *shape)
        outputs, means, variances = [], [], []
        for batch in x:
            outputs.append(module(batch))
            means.append(module.running_mean.clone())
            variances.append(module.running_var.clone())
        module.eval()
        g.add(f"{case}/x", x)
        g.add(f"{case}/output", torch.stack(outputs))
        g.add(f"{case}/running_mean", torch.stack(means))
        g.add(f"{case}/running_var", torch.stack(variances))
        g.add(f"{case}/evaluated", torch.stack([module(batch) for batch in x]))
    return g


def adamw():
    """Trajectories of AdamW in float32: `CASE/NAME` [steps, ...] after each step, from `initial/NAME`.

    The gradients of step s are `gradients/NAME`[s]; in `missing_gradients` the bias has none where
    `has_bias_gradient` is 0. `CASE/NAME.m` and `.v` are the moments at the end.
    """
    g = Goldens()
    steps = 10
    initial = {"weight": random(3, 2), "bias": random(3)}
    gradients = {"weight": random(steps, 3, 2), "bias": random(steps, 3)}
    for name in initial:
        g.add(f"initial/{name}", initial[name])
        g.add(f"gradients/{name}", gradients[name])
    default = {"lr": 1e-3}
    cases = {
        "default": default, "large_rate": {"lr": 0.1}, "decay": {"lr": 0.01, "weight_decay": 0.5},
        "no_decay": {"lr": 0.01, "weight_decay": 0.0}, "betas": {"lr": 0.01, "betas": (0.8, 0.95)},
        "epsilon": {"lr": 0.01, "eps": 0.1}, "missing_gradients": {"lr": 0.01},
    }
    for case, options in cases.items():
        parameters = {name: value.clone().requires_grad_() for name, value in initial.items()}
        optimizer = torch.optim.AdamW(parameters.values(), foreach=False, **options)
        has_bias = [1] * steps
        if case == "missing_gradients":
            has_bias = [0, 1, 1, 0, 0, 1, 0, 1, 1, 0]
        after = {name: [] for name in parameters}
        for step in range(steps):
            for name, parameter in parameters.items():
                parameter.grad = gradients[name][step].clone()
            if not has_bias[step]:
                parameters["bias"].grad = None
            optimizer.step()
            for name, parameter in parameters.items():
                after[name].append(parameter.detach().clone())
        group = optimizer.param_groups[0]
        g.add(f"{case}/learning_rate", group["lr"])
        g.add(f"{case}/betas", list(group["betas"]))
        g.add(f"{case}/epsilon", group["eps"])
        g.add(f"{case}/weight_decay", group["weight_decay"])
        g.add(f"{case}/has_bias_gradient", has_bias)
        for name, parameter in parameters.items():
            g.add(f"{case}/{name}", torch.stack(after[name]))
            g.add(f"{case}/{name}.m", optimizer.state[parameter]["exp_avg"])
            g.add(f"{case}/{name}.v", optimizer.state[parameter]["exp_avg_sq"])
    return g


def main():
    torch.set_num_threads(1)
    for make in [networks, more_losses]:
        for name, dtype in TYPES.items():
            torch.manual_seed(0)
            make(dtype).write("NeuralNetworksTests", "Goldens", f"{make.__name__}.{name}.json")
    for tests, name, make in [
        ("NeuralNetworksTests", "sequence_layers", layers),
        ("NeuralNetworksTests", "running_statistics", running_statistics),
        ("OptimizersTests", "adamw", adamw),
    ]:
        torch.manual_seed(0)
        make().write(tests, "Goldens", f"{name}.json")


if __name__ == "__main__":
    main()
