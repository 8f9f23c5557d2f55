"""Writes the golden files of further losses; run and read it as make_goldens.py.

    venv/bin/python Tests/Goldens/make_goldens_losses.py
"""

import torch
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, positive, random, values
from make_goldens_networks import entropy, likelihood


def further_losses(dtype):
    """Losses, each as CASE_none, CASE_sum and CASE_mean."""
    g = Goldens(dtype)
    pixels = torch.tensor([[[0, 2, 1], [3, -100, 2]], [[1, 1, 0], [2, 3, 3]]], dtype=torch.int32)
    places = torch.tensor([[0, 2, 1, -100], [2, 0, 0, 1]], dtype=torch.int32)
    weights = positive(4)
    image = {"logits": random(2, 4, 2, 3), "labels": pixels}
    pair = {"prediction": random(5, 3), "target": random(5, 3)}
    vectors = {"a": random(5, 3), "b": random(5, 3)}
    signs = values(1, -1, -1, 1, -1)
    sign_matrix = torch.where(random(5, 3) > 0, 1.0, -1.0)
    binary = {"logits": random(4, 3), "target": torch.randint(0, 2, (4, 3)) * 1.0}
    edges = {"logits": values(float("inf"), -30, 0, 30), "target": values(0, 1, 0.5, 0)}
    probabilities = {"probabilities": positive(4, 3) / 2 - 1 / 256, "target": positive(4, 3) / 2}
    soft = positive(5, 4).softmax(1)
    triplet = {"a": random(5, 3), "positive": random(5, 3), "negative": random(5, 3)}
    some = torch.tensor([[3, 0, -1, 1], [2, -1, -1, -1], [-1, 0, 1, 2], [0, 1, 2, 3]], dtype=torch.int32)
    five = torch.tensor([2, 0, 3, 0, 3], dtype=torch.int32)
    counts = torch.tensor([[0, 1, 4], [2, 0, 1]]).double()
    rates = {"prediction": positive(2, 3), "target": counts}

    def ctc(zero_infinity=False, blank=0):
        def loss(x, targets, inputs, lengths, reduction):
            return F.ctc_loss(x.log_softmax(2), targets.long(), inputs.long(), lengths.long(),
                              blank=blank, reduction=reduction, zero_infinity=zero_infinity)
        return loss

    def plain_ctc(x, targets, inputs, lengths, reduction):
        return F.ctc_loss(x, targets.long(), inputs.long(), lengths.long(), reduction=reduction)

    def integers(*numbers):
        return torch.tensor(numbers, dtype=torch.int32)

    spoken = {
        "x": random(9, 3, 5),
        "labels": torch.tensor([[1, 2, 2, 3], [4, 1, 0, 0], [3, 3, 3, 0]], dtype=torch.int32),
        "indices": integers(9, 7, 8), "condition": integers(4, 2, 3),
    }
    joined = {**spoken, "labels": integers(1, 2, 2, 3, 4, 1, 3, 3, 3)}
    short = {**spoken, "indices": integers(9, 7, 4)}  # 3 3 3 needs five times
    last = {**joined, "labels": integers(1, 2, 2, 3, 0, 1, 3, 3, 3)}
    none = {**joined, "labels": integers(2, 2), "condition": integers(0, 2, 0)}
    normalized = {**spoken, "x": random(9, 3, 5).log_softmax(2)}

    def weigh(loss, key):
        return lambda x, t, w, reduction: loss(x, t, reduction=reduction, **{key: w})

    bce, bce_logits = F.binary_cross_entropy, F.binary_cross_entropy_with_logits
    every = {
        "cross_entropy_pixels": (entropy(), image, []),
        "cross_entropy_pixels_all": (
            entropy(label_smoothing=0.25), {**image, "weights": weights}, ["weights"]),
        "cross_entropy_places": (entropy(), {"logits": random(2, 3, 4), "labels": places}, []),
        "nll_pixels": (likelihood, {"prediction": random(2, 4, 2, 3).log_softmax(1), "labels": pixels}, []),
        "cross_entropy_soft": (soft_entropy(), {"logits": random(5, 4), "target": soft}, []),
        "cross_entropy_soft_all": (
            soft_entropy(label_smoothing=0.2),
            {"logits": random(5, 4), "target": soft, "weights": weights}, ["weights"]),
        "cross_entropy_soft_pixels": (
            soft_entropy(), {"logits": random(2, 4, 3), "target": positive(2, 4, 3).softmax(1)}, []),
        "cross_entropy_wide": (
            entropy(label_smoothing=0.1),
            {"logits": random(3, 70), "labels": integers(69, 0, 33), "weights": positive(70)}, ["weights"]),
        "bce_weights": (weigh(bce, "weight"), {**probabilities, "weights": positive(3)}, ["target", "weights"]),
        "bce_logits_weights": (
            weigh(bce_logits, "weight"), {**binary, "weights": positive(4, 3)}, ["target", "weights"]),
        "bce_logits_positive": (
            weigh(bce_logits, "pos_weight"), {**binary, "weights": positive(3)}, ["target", "weights"]),
        "bce_logits_infinite": (bce_logits, edges, ["target"]),
        "smooth_l1": (F.smooth_l1_loss, pair, []),
        "smooth_l1_beta": (lambda p, t, reduction: F.smooth_l1_loss(p, t, beta=0.25, reduction=reduction), pair, []),
        "smooth_l1_zero": (lambda p, t, reduction: F.smooth_l1_loss(p, t, beta=0.0, reduction=reduction), pair, []),
        "cosine_embedding": (
            lambda a, b, t, reduction: F.cosine_embedding_loss(a, b, t, margin=0.1, reduction=reduction),
            {**vectors, "target": signs}, ["target"]),
        "hinge_embedding": (
            lambda p, t, reduction: F.hinge_embedding_loss(p, t, margin=0.5, reduction=reduction),
            {"prediction": random(5, 3), "target": sign_matrix}, ["target"]),
        "margin_ranking": (
            lambda a, b, t, reduction: F.margin_ranking_loss(a, b, t, margin=0.25, reduction=reduction),
            {**vectors, "target": sign_matrix}, ["target"]),
        "triplet": (F.triplet_margin_loss, triplet, []),
        "triplet_all": (
            lambda a, p, n, reduction: F.triplet_margin_loss(
                a, p, n, margin=0.5, p=3, swap=True, reduction=reduction), triplet, []),
        "soft_margin": (F.soft_margin_loss, {"prediction": random(5, 3), "target": sign_matrix}, ["target"]),
        "multi_label_soft_margin": (
            weigh(F.multilabel_soft_margin_loss, "weight"), {**binary, "weights": positive(3)},
            ["target", "weights"]),
        "multi_label_margin": (
            lambda x, t, reduction: F.multilabel_margin_loss(x, t.long(), reduction=reduction),
            {"prediction": random(4, 4), "indices": some}, []),
        "multi_margin": (
            lambda x, t, reduction: F.multi_margin_loss(x, t.long(), reduction=reduction),
            {"logits": random(5, 4), "labels": five}, []),
        "multi_margin_all": (
            lambda x, t, w, reduction: F.multi_margin_loss(
                x, t.long(), p=2, margin=0.5, weight=w, reduction=reduction),
            {"logits": random(5, 4), "labels": five, "weights": weights}, ["weights"]),
        "poisson": (F.poisson_nll_loss, {"prediction": random(2, 3), "target": counts}, ["target"]),
        "poisson_full": (
            lambda p, t, reduction: F.poisson_nll_loss(p, t, log_input=False, full=True, reduction=reduction),
            rates, ["target"]),
        "gaussian": (
            gaussian(), {**pair, "variance": positive(5, 3)}, []),
        "gaussian_full": (
            gaussian(full=True, eps=0.5), {**pair, "variance": positive(5, 1)}, []),
        "ctc": (ctc(), spoken, []),
        "ctc_joined": (ctc(), joined, []),
        "ctc_zero_infinity": (ctc(zero_infinity=True), short, []),
        "ctc_infinite": (ctc(), short, []),
        "ctc_last_blank": (ctc(blank=4), last, []),
        "ctc_without_labels": (ctc(), none, []),
        "ctc_of_log_probabilities": (plain_ctc, normalized, []),
    }
    for name, (loss, inputs, constants) in every.items():
        for reduction in ["none", "sum", "mean"]:
            g.case(f"{name}_{reduction}", lambda *x: loss(*x, reduction=reduction), inputs, constants)

    g.case("cosine_similarity", F.cosine_similarity, {"a": random(2, 3, 4), "b": random(2, 3, 4)})
    g.case("cosine_similarity_last", lambda a, b: F.cosine_similarity(a, b, dim=-1),
           {"a": random(2, 3, 4), "b": random(3, 4)})
    for name, p in [("", 2.0), ("_1", 1.0), ("_3", 3.0), ("_infinite", float("inf"))]:
        g.case(f"pairwise_distance{name}", lambda a, b: F.pairwise_distance(a, b, p), vectors)
    return g


def soft_entropy(**options):
    def loss(logits, target, weights=None, *, reduction):
        return F.cross_entropy(logits, target, weights, reduction=reduction, **options)
    return loss


def gaussian(**options):
    return lambda p, t, v, reduction: F.gaussian_nll_loss(p, t, v, reduction=reduction, **options)


def main():
    torch.set_num_threads(1)
    for type_name, dtype in TYPES.items():
        torch.manual_seed(0)
        further_losses(dtype).write("NeuralNetworksTests", "Goldens", f"further_losses.{type_name}.json")


if __name__ == "__main__":
    main()
