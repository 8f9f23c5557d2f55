"""Writes the golden files of the models of torchvision and Hugging Face.

    venv/bin/pip install torchvision transformers
    venv/bin/python Tests/Goldens/make_goldens_pretrained.py

The environment, the generator and the form of the files are those of make_goldens_models.py, with
torchvision 0.28.0 and transformers 5.24.0. The models are made by these packages, at small sizes;
`pretrained_names.json` has the names of their state dictionaries, without the counts of batches.
"""

import itertools
import json
import shutil
import tempfile

import torch
import torch.nn as nn
import torchvision
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from make_goldens import TESTS, Goldens
from make_goldens_models import ModelGenerator


def llama(heads, **options):
    config = LlamaConfig(
        vocab_size=11, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=heads, max_position_embeddings=16, rms_norm_eps=1e-6,
        attn_implementation="eager", **options)
    return LlamaForCausalLM(config)


def move_from_bends(model):
    """Moves what normalizations give to ReLU6 away from 0 and 6, where it bends.

    With hundreds of thousands of units some would stand so near that rounding decides. Of four channels one is
    blocked, one cut off at 6, and two pass, each by a tenth at least.
    """
    for layers in model.modules():
        if isinstance(layers, nn.Sequential):
            for normalization, activation in itertools.pairwise(layers):
                if isinstance(activation, nn.ReLU6):
                    channels = torch.arange(normalization.num_features)
                    normalization.weight.data *= 0.5
                    normalization.bias.data += torch.tensor([3.0, 9.0, 3.0, -3.0]).double()[channels % 4]


def double_convolution(inputs, outputs):
    layers = []
    for width in [inputs, outputs]:
        layers += [nn.Conv2d(width, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.ModuleDict({"double_conv": nn.Sequential(*layers)})


class UNet(nn.Module):
    """github.com/milesial/Pytorch-UNet with bilinear=False, for any number of features."""

    def __init__(self, channels, classes, features):
        super().__init__()
        self.inc = double_convolution(channels, features)
        for i in range(1, 5):
            layers = double_convolution(features << (i - 1), features << i)
            self.add_module(f"down{i}", nn.ModuleDict({"maxpool_conv": nn.Sequential(nn.MaxPool2d(2), layers)}))
        for i in range(1, 5):
            width = features << (4 - i)
            self.add_module(f"up{i}", nn.ModuleDict({
                "up": nn.ConvTranspose2d(2 * width, width, 2, stride=2),
                "conv": double_convolution(2 * width, width)}))
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(features, classes, 1)})

    def forward(self, x):
        sizes = [self.inc["double_conv"](x)]
        for i in range(1, 5):
            pool, layers = getattr(self, f"down{i}")["maxpool_conv"]
            sizes.append(layers["double_conv"](pool(sizes[-1])))
        y = sizes.pop()
        for i in range(1, 5):
            step = getattr(self, f"up{i}")
            y = step["conv"]["double_conv"](torch.cat([sizes.pop(), step["up"](y)], 1))
        return self.outc["conv"](y)


def models():
    """As `models` in make_goldens_models.py, in float64 but for parts that Hugging Face computes in float32."""
    g, names = Goldens(torch.float32), {}
    scaling = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 8, "rope_theta": 100.0}
    cases = {
        "llama": (llama(2), [2, 6]),
        "llama-tied": (llama(1, tie_word_embeddings=True, rope_parameters=scaling), [2, 6]),
        "vit": (torchvision.models.VisionTransformer(8, 4, 2, 2, 8, 16, num_classes=5), [2, 3, 8, 8]),
        "mobilenetV2": (
            torchvision.models.MobileNetV2(num_classes=5, width_mult=0.35, dropout=0), [4, 3, 64, 64]),
        "unet": (UNet(3, 2, 4), [2, 3, 32, 32]),
    }
    for name, (model, shape) in cases.items():
        names[name] = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
        generator = ModelGenerator()
        generator.fill(model.double().train())
        if name == "mobilenetV2":
            move_from_bends(model)
        if name.startswith("llama"):
            output = model(generator.integers(*shape, below=11)).logits
        else:
            output = model(generator.uniform(*shape).double())
        output.backward(generator.uniform(*output.shape).double())
        rows = []
        for parameter in model.parameters():
            gradient = parameter.grad.flatten()
            factors = torch.arange(gradient.numel()).remainder(101).double() / 50 - 1
            rows.append(torch.stack([gradient.norm(), gradient @ factors]))
        g.add(f"{name}/output", output.float())
        g.add(f"{name}/gradients", torch.stack(rows).float())
    return g, names


def files():
    """Files as the packages write them, and what their models compute of them, in float32.

    `llama.safetensors` is what `save_pretrained` writes for a tied model, without its output layer;
    `vit.safetensors` is the state dictionary of torchvision. `tokens` [2, 6], `images` [2, 3, 8, 8].
    """
    g = Goldens(torch.float32)
    folder = TESTS / "CheckpointingTests" / "Goldens"
    generator = ModelGenerator()
    model = generator.fill(llama(2, tie_word_embeddings=True)).eval()
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        shutil.copy(f"{temporary}/model.safetensors", folder / "llama.safetensors")
    g.add("tokens", generator.integers(2, 6, below=11))
    g.add("logits", model(g.tensors["tokens"]).logits)
    model = torchvision.models.VisionTransformer(8, 4, 1, 2, 8, 16, num_classes=5).eval()
    save_file(generator.fill(model).state_dict(), folder / "vit.safetensors")
    g.add("images", generator.uniform(2, 3, 8, 8))
    g.add("classes", model(g.tensors["images"]))
    return g


def main():
    torch.set_num_threads(1)
    files().write("CheckpointingTests", "Goldens", "pretrained.json")
    g, names = models()
    g.write("NeuralNetworksTests", "Goldens", "pretrained.json")
    path = TESTS / "NeuralNetworksTests" / "Goldens" / "pretrained_names.json"
    path.write_text(json.dumps(names, indent=0) + "\n")
    counts = {
        "vit_b_16": torchvision.models.vit_b_16(), "mobilenet_v2": torchvision.models.mobilenet_v2(),
    }
    for name, model in counts.items():
        print(name, sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()
