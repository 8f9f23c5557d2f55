"""Writes the golden files of the optimizers beyond SGD and AdamW, and of float64 training.

    venv/bin/python Tests/Goldens/make_goldens_optimizers.py

The environment and the form of the files are those of make_goldens.py. Adam, RMSprop and Adagrad are
PyTorch's; Lion, LARS and LAMB are the formulas of their papers, written below in float64.
"""

import torch
import torch.optim.lr_scheduler as sched

from make_goldens import Goldens, random

STEPS = 50


class Formula(torch.optim.Optimizer):
    """An optimizer whose `update(w, g, state, group)` changes w."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is None:
                    continue
                state = self.state[w]
                state["step"] = state.get("step", 0) + 1
                self.update(w, w.grad, state, group)


class Lion(Formula):
    """Chen et al. 2023, algorithm 2."""

    def update(self, w, g, state, group):
        m = state.setdefault("exp_avg", torch.zeros_like(w))
        beta1, beta2 = group["betas"]
        u = torch.sign(beta1 * m + (1 - beta1) * g)
        w -= group["lr"] * (u + group["weight_decay"] * w)
        m.copy_(beta2 * m + (1 - beta2) * g)


class LARS(Formula):
    """You, Gitman and Ginsburg 2017, algorithm 1, the learning rate outside of the momentum."""

    def update(self, w, g, state, group):
        wd = group["weight_decay"] if group["adapts"](w) else 0
        trust = 1
        if group["adapts"](w) and w.norm() > 0 and g.norm() > 0:
            trust = group["trust"] * w.norm() / (g.norm() + wd * w.norm() + 1e-8)
        v = state.setdefault("momentum_buffer", torch.zeros_like(w))
        v.copy_(group["momentum"] * v + trust * (g + wd * w))
        w -= group["lr"] * v


class LAMB(Formula):
    """You et al. 2020, algorithm 2, with the identity as phi."""

    def update(self, w, g, state, group):
        m = state.setdefault("exp_avg", torch.zeros_like(w))
        v = state.setdefault("exp_avg_sq", torch.zeros_like(w))
        beta1, beta2 = group["betas"]
        wd = group["weight_decay"] if group["adapts"](w) else 0
        m.copy_(beta1 * m + (1 - beta1) * g)
        v.copy_(beta2 * v + (1 - beta2) * g * g)
        m_hat, v_hat = m / (1 - beta1 ** state["step"]), v / (1 - beta2 ** state["step"])
        u = m_hat / (v_hat.sqrt() + 1e-6) + wd * w
        trust = 1
        if group["adapts"](w) and w.norm() > 0 and u.norm() > 0:
            trust = w.norm() / u.norm()
        w -= group["lr"] * trust * u


ALL, MATRICES = (lambda w: True), (lambda w: w.dim() > 1)
ADAM, RMS, ADAGRAD = torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad
CASES = {
    "adam": (ADAM, {"lr": 0.01}),
    "adam_decay": (ADAM, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    "adam_amsgrad": (ADAM, {"lr": 0.02, "amsgrad": True, "betas": (0.5, 0.7)}),
    "adam_missing": (ADAM, {"lr": 0.02, "weight_decay": 0.1}),
    "rmsprop": (RMS, {"lr": 0.01}),
    "rmsprop_momentum": (RMS, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    "rmsprop_centered": (RMS, {"lr": 0.01, "centered": True, "alpha": 0.9, "eps": 1e-2}),
    "rmsprop_all": (RMS, {"lr": 0.01, "centered": True, "alpha": 0.9, "momentum": 0.5, "eps": 1e-2}),
    "adagrad": (ADAGRAD, {"lr": 0.1}),
    "adagrad_all": (ADAGRAD, {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5,
                              "weight_decay": 0.1, "eps": 1e-3}),
    "adagrad_missing": (ADAGRAD, {"lr": 0.1, "lr_decay": 0.1}),
    "lion": (Lion, {"lr": 1 / 64, "betas": (0.9, 0.99), "weight_decay": 0.0}),
    "lion_decay": (Lion, {"lr": 1 / 64, "betas": (0.75, 0.9), "weight_decay": 0.5}),
    "lars": (LARS, {"lr": 0.5, "momentum": 0.9, "trust": 0.02, "weight_decay": 0.0, "adapts": ALL}),
    "lars_decay": (LARS, {"lr": 0.5, "momentum": 0.5, "trust": 0.02, "weight_decay": 0.1,
                          "adapts": MATRICES}),
    "lamb": (LAMB, {"lr": 0.02, "betas": (0.9, 0.999), "weight_decay": 0.01, "adapts": ALL}),
    "lamb_decay": (LAMB, {"lr": 0.02, "betas": (0.8, 0.95), "weight_decay": 0.3,
                          "adapts": MATRICES}),
    "lamb_missing": (LAMB, {"lr": 0.02, "betas": (0.9, 0.999), "weight_decay": 0.01, "adapts": ALL}),
}
HAS_BIAS = [int(step % 3 != 1 and step > 0) for step in range(STEPS)]


def optimizers():
    """Trajectories of 50 steps in float64, from `initial/NAME`.

    `CASE/NAME` [10, ...] after each fifth step; the gradients of step s are `gradients/NAME`[s]. In cases
    named missing the bias has none where `has_bias_gradient/steps` is 0. `CASE/NAME.STATE` is the state
    at the end.
    """
    g = Goldens()
    # float64 without digits that float32 lacks.
    initial = {"weight": random(3, 2).double(), "bias": random(3).double()}
    gradients = {"weight": random(STEPS, 3, 2).double(), "bias": random(STEPS, 3).double()}
    for name in initial:
        g.add(f"initial/{name}", initial[name])
        g.add(f"gradients/{name}", gradients[name])
    g.add("has_bias_gradient/steps", HAS_BIAS)
    for case, (method, options) in CASES.items():
        parameters = {name: value.clone().requires_grad_() for name, value in initial.items()}
        optimizer = method(parameters.values(), **options)
        after = {name: [] for name in parameters}
        for step in range(STEPS):
            for name, parameter in parameters.items():
                parameter.grad = gradients[name][step].clone()
            if "missing" in case and not HAS_BIAS[step]:
                parameters["bias"].grad = None
            optimizer.step()
            if step % 5 == 4:
                for name, parameter in parameters.items():
                    after[name].append(parameter.detach().clone())
        for name, parameter in parameters.items():
            g.add(f"{case}/{name}", torch.stack(after[name]))
            for key, value in optimizer.state[parameter].items():
                if key != "step":
                    g.add(f"{case}/{name}.{key}", value)
    return g


def float64_training():
    """20 steps of a perceptron in float64: `initial/NAME`, `data/x` and `data/labels`, and for each method
    `CASE/losses` and the weights at the end, `CASE/NAME`."""
    g = Goldens()
    make = lambda: torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3)).double()
    initial = {name: random(*value.shape).double() / 2 for name, value in make().state_dict().items()}
    x, labels = random(16, 5).double(), torch.randint(0, 3, [16])
    for name, value in initial.items():
        g.add(f"initial/{name}", value)
    g.add("data/x", x)
    g.add("data/labels", labels.int())
    for case, method in {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    }.items():
        model = make()
        model.load_state_dict(initial)
        optimizer, losses = method(model.parameters()), []
        for _ in range(20):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        g.add(f"{case}/losses", losses)
        for name, value in model.state_dict().items():
            g.add(f"{case}/{name}", value)
    return g


def further_schedules():
    """`CASE/rates` of the steps 0, 1, ... in float64, with base 0.1 and no warm-up; for plateau `CASE/losses`
    are the losses before each rate, the first of which is not used."""
    g = Goldens()

    def record(case, make, count, losses=None):
        parameter = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
        scheduler, rates = make(optimizer), []
        for step in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step(*([losses[step]] if losses else []))
        g.add(f"{case}/rates", rates)
        if losses:
            g.add(f"{case}/losses", losses)

    record("multistep", lambda o: sched.MultiStepLR(o, [3, 5, 5, 11], 0.3), 15)
    record("exponential", lambda o: sched.ExponentialLR(o, 0.9), 20)
    record("polynomial", lambda o: sched.PolynomialLR(o, 12, 2.5), 15)
    record("linear", lambda o: sched.PolynomialLR(o, 10, 1), 12)
    record("restarts", lambda o: sched.CosineAnnealingWarmRestarts(o, 5, 1, 0.01), 17)
    record("restarts_longer", lambda o: sched.CosineAnnealingWarmRestarts(o, 3, 2), 30)
    record("onecycle", lambda o: sched.OneCycleLR(o, 0.1, total_steps=30), 30)
    record("onecycle_linear", lambda o: sched.OneCycleLR(
        o, 0.1, total_steps=21, pct_start=0.5, div_factor=4, final_div_factor=10, anneal_strategy="linear"), 21)
    record("cyclic", lambda o: sched.CyclicLR(o, 0.01, 0.1, 4, 3), 30)
    record("cyclic_halves", lambda o: sched.CyclicLR(o, 0.01, 0.1, 4, 4, "triangular2"), 30)
    record("cyclic_falls", lambda o: sched.CyclicLR(o, 0.01, 0.1, 5, 2, "exp_range", 0.95), 30)
    losses = [3, 2, 2, 2, 1.99999, 1.9, 1.95, 1.91, 1.905, 1.9001, 1.5] + [1.5] * 30
    record("plateau", lambda o: sched.ReduceLROnPlateau(o, patience=2), 41, losses)
    record("plateau_all", lambda o: sched.ReduceLROnPlateau(
        o, factor=0.5, patience=1, threshold=0.1, cooldown=2, min_lr=0.02), 41, losses)
    record("plateau_at_once", lambda o: sched.ReduceLROnPlateau(o, factor=0.01, patience=0), 41, losses)
    return g


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    optimizers().write("OptimizersTests", "Goldens", "optimizers.json")
    torch.manual_seed(0)
    float64_training().write("OptimizersTests", "Goldens", "float64_training.json")
    further_schedules().write("OptimizersTests", "Goldens", "further_schedules.json")


if __name__ == "__main__":
    main()
