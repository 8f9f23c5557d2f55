"""Writes the golden files of TensorCore's operations; run and read it as make_goldens.py.

    venv/bin/python Tests/Goldens/make_goldens_library.py

The inputs of a case are a, b and c; indices are i and j, masks m.
"""

import torch
import torch.nn.functional as F

from make_goldens import TYPES, Goldens, nonzero, positive, random, values

NAN = float("nan")
INF = float("inf")
EDGES = values(-INF, -1000, -2.5, -1, -0.5, -1 / 64, -0.0, 0, 1 / 64, 0.5, 1, 2.5, 1000, INF, NAN)


def functions(dtype):
    """Functions of elements, with edges; their gradients at edges are those of PyTorch, too."""
    g = Goldens(dtype)
    inside = values(-1, -0.75, -0.25, -1 / 64, 0, 0.25, 0.75, 1, 1.5, NAN)
    for name in ["log1p", "expm1", "sinh", "cosh", "tan", "atan", "asinh", "rsqrt", "log2", "log10",
                 "exp2", "ceil", "trunc", "frac", "erfc", "relu"]:
        g.case(name, getattr(torch, name), {"a": random(3, 4) * 0.7})
        edges = EDGES if name not in ("tan", "frac") else values(-2.5, -1, -0.0, 0.5, NAN)
        g.case(f"{name}_edges", getattr(torch, name), {"a": edges})
    for name in ["asin", "acos", "atanh", "erfinv"]:
        g.case(f"{name}_edges", getattr(torch, name), {"a": inside})
    g.case("acosh", torch.acosh, {"a": values(0.5, 1, 1.5, 3, 1000, INF, NAN)})
    # PyTorch's float32 digamma is less exact than ours near its zeros.
    plain = values(0.25, 0.5, 1, 2.5, 3, 7, 20, -0.5, -1.25)
    g.case("lgamma", torch.lgamma, {"a": plain}, ["a"])
    g.case("digamma", torch.digamma, {"a": plain}, ["a"])
    g.case("polygamma_1", lambda a: torch.polygamma(1, a), {"a": plain}, ["a"])
    g.case("polygamma_3", lambda a: torch.polygamma(3, a), {"a": values(0.5, 1, 2.5, 9)}, ["a"])
    g.case("sinc", torch.sinc, {"a": values(-1.5, -0.25, 0, 0.25, 2.25)})
    g.case("logit", torch.logit, {"a": values(0.1, 0.5, 0.75)})
    g.case("log_sigmoid", F.logsigmoid, {"a": values(-1000, -2, 0, 2, 1000)})
    g.case("nan_to_num", torch.nan_to_num, {"a": EDGES})
    g.case("nan_to_num_numbers", lambda a: torch.nan_to_num(a, 1, 2, 3), {"a": EDGES})
    g.case("clamp", lambda a: torch.clamp(a, -1, 1), {"a": EDGES})

    pairs = {"a": values(-5.5, -5, -1, 0, 1, 5, 5.5, 3, INF, NAN, 2), "b": values(
        3, -3, 0.75, 2, -2, 3, -3, INF, 2, 2, NAN)}
    for name in ["atan2", "hypot", "remainder", "fmod", "maximum", "minimum"]:
        g.case(name, getattr(torch, name), pairs)
    g.case("copysign", torch.copysign, {"a": nonzero(3, 4), "b": nonzero(3, 4)})
    g.case("remainder_number", lambda a: torch.remainder(a, -1.5), {"a": random(6)})
    g.case("fmod_number", lambda a: torch.fmod(a, -1.5), {"a": random(6)})
    g.case("floor_divide", torch.floor_divide, pairs, ["a", "b"])
    g.case("maximum_nan", torch.maximum, {
        "a": values(1, NAN, 3, NAN, 2, 2), "b": values(NAN, 2, 1, NAN, 2, 5)})
    g.case("minimum_nan", torch.minimum, {
        "a": values(1, NAN, 3, NAN, 2, 2), "b": values(NAN, 2, 1, NAN, 2, 5)})
    g.case("lerp", torch.lerp, {"a": random(2, 3), "b": random(3), "c": random(2, 1)})
    g.case("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=0.5), {
        "a": random(2, 3), "b": random(3), "c": random(2, 1)})
    g.case("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c, value=0.5), {
        "a": random(2, 3), "b": random(3), "c": nonzero(2, 1)})
    g.case("xlogy", torch.xlogy, {"a": values(0, 0, 0, 1, 2, NAN), "b": values(
        0, INF, NAN, 2, 0.5, 1)}, ["a", "b"])
    g.case("logaddexp", torch.logaddexp, {
        "a": values(-1000, 1000, 1, -INF, -INF, INF), "b": values(-1001, 3, 1, 2, -INF, INF)},
        ["a", "b"])
    g.case("logaddexp_plain", torch.logaddexp, {"a": random(3), "b": random(2, 3)})
    g.case("clamp_tensors", torch.clamp, {
        "a": values(-3, 0, 3, 1, NAN), "b": values(-1, -1, -1, 1, 0), "c": values(1, 1, 1, 0, 1)})
    g.case("heaviside", torch.heaviside, {"a": EDGES, "b": values(0.5)}, ["a", "b"])
    return g


def statistics(dtype):
    """Reductions."""
    g = Goldens(dtype)
    g.case("var", torch.var, {"a": random(2, 3, 4)})
    g.case("var_axes", lambda a: a.var((0, 2), correction=0), {"a": random(2, 3, 4)})
    g.case("var_keeping", lambda a: a.var(1, keepdim=True), {"a": random(2, 3, 4)})
    g.case("var_single", lambda a: a.var(1), {"a": random(3, 1)}, ["a"])
    g.case("std", torch.std, {"a": random(2, 3, 4)})
    g.case("std_axis", lambda a: a.std(-1), {"a": random(2, 3, 4)})
    g.case("std_constant", lambda a: a.std(-1), {"a": torch.ones(2, 3)})
    g.case("logsumexp", lambda a: a.logsumexp(1), {"a": random(2, 3, 4) * 100})
    g.case("logsumexp_axes", lambda a: a.logsumexp((0, 2)), {"a": random(2, 3, 4)})
    g.case("logsumexp_infinite", lambda a: a.logsumexp(1), {"a": torch.tensor(
        [[-INF, -INF], [-INF, 1], [INF, 1], [NAN, 1]])}, ["a"])
    g.case("prod", torch.prod, {"a": random(5)})
    g.case("prod_zero", torch.prod, {"a": values(2, 0, 3)})
    g.case("prod_zeros", torch.prod, {"a": values(2, 0, 3, 0)})
    g.case("prod_axis", lambda a: a.prod(1), {"a": torch.tensor(
        [[1.0, 2, 3], [1, 0, 3], [0, 0, 3]])})
    g.case("cumprod", lambda a: a.cumprod(1), {"a": torch.tensor(
        [[1.0, 2, 3, 4], [1, 0, 3, 2], [2, 0, 3, 0], [0, 1, 2, 3]])})
    g.case("cumprod_axis_0", lambda a: a.cumprod(0), {"a": random(3, 2, 2)})
    g.case("cummax", lambda a: a.cummax(1)[0], {"a": torch.tensor(
        [[1.0, 3, 3, 2, 5], [1, NAN, 3, NAN, 2]])})
    g.case("cummax_indices", lambda a: a.cummax(1)[1], {"a": torch.tensor(
        [[1.0, 3, 3, 2, 5], [1, NAN, 3, NAN, 2]])}, ["a"])
    g.case("cummin", lambda a: a.cummin(0)[0], {"a": random(5, 3)})
    g.case("median", torch.median, {"a": random(3, 4)})
    g.case("median_axis", lambda a: a.median(1)[0], {"a": random(3, 4)})
    g.case("median_nan", lambda a: a.median(1)[0], {"a": torch.tensor([[1.0, NAN, 2], [3, 1, 2]])})
    g.case("quantile", lambda a: a.quantile(0.3, 1), {"a": random(3, 5)})
    g.case("quantile_all", lambda a: a.quantile(0.85), {"a": random(3, 5)})
    g.case("quantile_nan", lambda a: a.quantile(0.5, 1), {"a": torch.tensor(
        [[1.0, NAN, 2], [3, 1, 2]])}, ["a"])
    matrix = random(3, 4)
    matrix[1] = 0
    for name, p in [("0", 0), ("half", 0.5), ("1", 1), ("3", 3), ("inf", INF), ("minus_inf", -INF)]:
        g.case(f"norm_{name}", lambda a: torch.linalg.vector_norm(a, p, dim=1), {"a": nonzero(3, 4)},
               ["a"] if p == 0 else [])
    g.case("norm_3_zero", lambda a: torch.linalg.vector_norm(a, 3, dim=1), {"a": matrix})
    g.case("argmax_all", torch.argmax, {"a": random(3, 4)}, ["a"])
    g.case("argmin_all", torch.argmin, {"a": random(3, 4)}, ["a"])
    g.case("softmax_number", lambda a: a.softmax(0), {"a": torch.tensor(3.0)})
    g.case("cumsum_number", lambda a: a.cumsum(0), {"a": torch.tensor(3.0)})
    return g


def rearranging(dtype):
    """Moving, repeating, scattering and indexing."""
    g = Goldens(dtype)
    x = {"a": random(3, 4)}
    cube = {"a": random(2, 3, 4)}
    g.case("repeat", lambda a: a.repeat(2, 1, 3), x)
    g.case("repeat_interleave", lambda a: a.repeat_interleave(2, 1), x)
    g.case("repeat_interleave_all", lambda a: a.repeat_interleave(3), x)
    g.case("repeat_interleave_counts", lambda a, i: a.repeat_interleave(i, 0),
           {**x, "i": torch.tensor([2, 0, 1])})
    g.case("flip", lambda a: a.flip(0, 2), cube)
    g.case("roll", lambda a: a.roll(-3, 2), cube)
    g.case("roll_all", lambda a: a.roll(5), cube)
    for k in range(1, 4):
        g.case(f"rot90_{k}", lambda a: a.rot90(k, (0, 2)), cube)
    g.case("movedim", lambda a: a.movedim(0, 2), cube)
    for k in (-2, 0, 1):
        g.case(f"triu_{k}".replace("-", "minus_"), lambda a: a.triu(k), cube)
        g.case(f"tril_{k}".replace("-", "minus_"), lambda a: a.tril(k), cube)
        g.case(f"diagonal_{k}".replace("-", "minus_"), lambda a: a.diagonal(k, 2, 0), cube)
        g.case(f"diag_{k}".replace("-", "minus_"), lambda a: a.diag(k), {"a": random(3)})
    g.case("diag_embed", lambda a: torch.diag_embed(a, 1), x)
    g.case("kron", torch.kron, {"a": random(2, 3), "b": random(2, 1, 2)})
    g.case("cross", lambda a, b: torch.cross(a, b, dim=1), {"a": random(2, 3, 2), "b": random(2, 3, 2)})
    g.case("meshgrid_ij", lambda a, b: torch.meshgrid(a, b, indexing="ij")[0], {
        "a": random(2), "b": random(3)}, ["b"])
    g.case("meshgrid_xy", lambda a, b: torch.meshgrid(a, b, indexing="xy")[0], {
        "a": random(2), "b": random(3)}, ["b"])
    places = torch.tensor([[0, 1, 2, 0], [2, 1, 0, 0]])
    g.case("scatter_add", lambda a, b, i: a.scatter_add(0, i, b), {
        "a": random(3, 4), "b": random(2, 4), "i": places})
    distinct = torch.tensor([[0, 1, 2, 0], [2, 0, 1, 1]])
    g.case("scatter", lambda a, b, i: a.scatter(0, i, b), {
        "a": random(3, 4), "b": random(2, 4), "i": distinct})
    g.case("scatter_number", lambda a, i: a.scatter(0, i, 5.0), {"a": random(3, 4), "i": places})
    rows = torch.tensor([2, 0, 2])
    g.case("index_add", lambda a, b, i: a.index_add(1, i, b, alpha=2), {
        "a": random(2, 4), "b": random(2, 3), "i": rows})
    g.case("index_copy", lambda a, b, i: a.index_copy(1, i, b), {
        "a": random(2, 4), "b": random(2, 2), "i": torch.tensor([3, 0])})
    g.case("index_fill", lambda a, i: a.index_fill(1, i, 7), {"a": random(2, 4), "i": rows})
    i, j = torch.tensor([[1, 0, -1]]), torch.tensor([[0], [2]])
    g.case("index_1", lambda a, i, j: a[i], {**cube, "i": i, "j": j})
    g.case("index_2", lambda a, i, j: a[:, i, j], {**cube, "i": i, "j": j})
    g.case("index_3", lambda a, i, j: a[i, :, j], {**cube, "i": i, "j": j})
    g.case("index_4", lambda a, i, j: a[0, i, 1:], {**cube, "i": i, "j": j})
    g.case("index_5", lambda a, i, j: a[..., j], {**cube, "i": i, "j": j})
    g.case("index_6", lambda a, i, j: a[None, :, 1, i], {**cube, "i": i, "j": j})
    m = torch.tensor([[True, False, True], [False, False, True]])
    g.case("mask_1", lambda a, m: a[m], {**cube, "m": m})
    g.case("mask_2", lambda a, m: a[:, m], {"a": random(2, 2, 3), "m": m})
    g.case("mask_3", lambda a, m: a[m, 1:3], {**cube, "m": m})
    g.case("mask_4", lambda a, m: a[0, m[0], 1], {**cube, "m": m})

    def changed(change):
        def function(a, b, *rest):
            y = a * 1
            change(y, b, *rest)
            return y.square()
        return function

    def put(y, index, value):
        y[index] = value

    g.case("assign_1", changed(lambda y, b: put(y, 0, b)), {**cube, "b": random(3, 4)})
    g.case("assign_2", changed(lambda y, b: put(y, (slice(1, None), 2), b)), {**cube, "b": random(4)})
    g.case("assign_3", changed(lambda y, b: put(y, (Ellipsis, slice(0, None, 2)), b)), {
        **cube, "b": random(3, 2)})
    g.case("assign_4", changed(lambda y, b, i: put(y, (slice(None), i), b)), {
        **cube, "b": random(2, 1), "i": torch.tensor([2, 0])})
    g.case("assign_5", changed(lambda y, b, i, j: put(y, (i, slice(None), j), b)), {
        **cube, "b": random(3), "i": torch.tensor([1, 0]), "j": torch.tensor([2, 3])})
    g.case("assign_6", changed(lambda y, b, m: put(y, m, b)), {**cube, "b": random(3, 4), "m": m})
    g.case("assign_7", changed(lambda y, b, m: put(y, m, b)), {
        **cube, "b": random(1), "m": cube["a"] > 0.5})
    g.case("masked_scatter", lambda a, b, m: a.masked_scatter(m, b), {
        "a": random(2, 3), "b": random(4), "m": m})
    return g


def padding(dtype):
    """pad and interpolate."""
    g = Goldens(dtype)

    def pad(name, shape, widths, mode="constant", **settings):
        g.case(f"pad_{name}", lambda a: F.pad(a, widths, mode, **settings), {"a": random(*shape)},
               widths=widths)

    pad("constant_1", (2, 3), [1, 2])
    pad("constant_2", (2, 3, 4), [1, -1, -2, 2, 0, 1], value=1.5)
    for mode in ["reflect", "replicate", "circular"]:
        pad(f"{mode}_1", (2, 2, 4), [2, 3], mode)
        pad(f"{mode}_2", (1, 2, 3, 4), [1, 2, 2, 0], mode)
        pad(f"{mode}_3", (1, 1, 2, 3, 2), [1, 0, 1, 2, 1, 1], mode)

    def resize(name, shape, mode, size=None, scale=None, corners=None):
        g.case(f"{mode}_{name}".replace("-", "_"), lambda a: F.interpolate(
            a, size=size, scale_factor=scale, mode=mode, align_corners=corners),
            {"a": random(*shape)}, size=size or [], scale=scale or [], corners=float(corners or 0))

    images, signals, volumes = (1, 2, 4, 5), (2, 1, 5), (1, 1, 3, 2, 4)
    for mode in ["nearest", "nearest-exact", "area"]:
        resize("signals", signals, mode, [7])
        resize("images", images, mode, [7, 3])
        resize("double", images, mode, [8, 10])
        resize("volumes", volumes, mode, [4, 4, 3])
        if mode != "area":
            resize("scale", images, mode, scale=[1.7, 0.6])
    for corners in [False, True]:
        suffix = "_corners" if corners else ""
        resize(f"signals{suffix}", signals, "linear", [8], corners=corners)
        resize(f"volumes{suffix}", volumes, "trilinear", [4, 4, 3], corners=corners)
        for mode in ["bilinear", "bicubic"]:
            resize(f"up{suffix}", images, mode, [7, 9], corners=corners)
            resize(f"down{suffix}", images, mode, [3, 2], corners=corners)
            resize(f"one{suffix}", images, mode, [1, 5], corners=corners)
            resize(f"scale{suffix}", images, mode, scale=[1.7, 0.6], corners=corners)
            resize(f"double{suffix}", images, mode, scale=[2.0, 2.0], corners=corners)
    return g


def products(dtype):
    """einsum."""
    g = Goldens(dtype)
    for name, form, shapes in [
        ("matmul", "ij,jk", [(2, 3), (3, 4)]),
        ("trace", "ii", [(3, 3)]),
        ("diagonal", "ii->i", [(3, 3)]),
        ("diagonals", "iji->ji", [(3, 2, 3)]),
        ("diagonal_in_pair", "iij,ik->jk", [(3, 3, 2), (3, 2)]),
        ("batch_transpose", "...ij->...ji", [(2, 2, 3, 4)]),
        ("batches", "...ij,...jk->...ik", [(2, 3, 4), (5, 1, 4, 2)]),
        ("implicit_ellipsis", "...ij,jk", [(2, 2, 3), (3, 2)]),
        ("ellipsis_unequal", "i...,...j->ij...", [(2, 3), (4, 3, 2)]),
        ("ellipsis_summed", "i...->i", [(2, 3, 4)]),
        ("implicit_order", "ba", [(2, 3)]),
        ("three", "ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
        ("four", "ab,bc,cd,ad->bd", [(2, 3), (3, 4), (4, 2), (2, 2)]),
        ("five", "a,ab,bc,cd,d", [(2,), (2, 3), (3, 4), (4, 2), (2,)]),
        ("bilinear", "bn,anm,bm->ba", [(2, 3), (5, 3, 4), (2, 4)]),
        ("outer", "i,j", [(2,), (3,)]),
        ("hadamard", "ij,ij->ij", [(2, 3), (2, 3)]),
        ("broadcast", "bij,bjk->bik", [(1, 2, 3), (4, 3, 2)]),
        ("broadcast_summed", "ij,ij->i", [(2, 1), (2, 3)]),
        ("spaces", " i j , j k -> k i ", [(2, 3), (3, 4)]),
        ("numbers", ",i->i", [(), (3,)]),
        ("capitals", "aB,Bc->ac", [(2, 3), (3, 2)]),
        ("sum", "ij->", [(2, 3)]),
    ]:
        inputs = {letter: random(*shape) for letter, shape in zip("abcde", shapes)}
        g.case(f"einsum_{name}", lambda *t: torch.einsum(form, *t), inputs)
    return g


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    for name, dtype in TYPES.items():
        for make in [functions, statistics, rearranging, padding, products]:
            torch.manual_seed(7)
            make(dtype).write("TensorCoreTests", "Goldens", f"library_{make.__name__}.{name}.json")


if __name__ == "__main__":
    main()
