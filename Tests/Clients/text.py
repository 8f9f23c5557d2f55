"""Continues a text by the likeliest characters: text.py onnx MODEL.onnx | torch FOLDER, PROMPT, COUNT."""

import json
import sys

import numpy as np

kind, path, prompt, count = sys.argv[1:4] + [int(sys.argv[4])]
if kind == "onnx":
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    properties = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    characters = json.loads(properties["characters"])
    session = onnxruntime.InferenceSession(path)

    def logits(tokens):
        return session.run(["logits"], {"tokens": np.array([tokens])})[0][0, -1]

else:
    import torch

    sys.path.insert(0, path)
    import model

    characters = model.CHARACTERS
    network = model.load()

    def logits(tokens):
        return model.predict(network, torch.tensor([tokens]))[0, -1].numpy()


text = prompt
for _ in range(count):
    tokens = [characters.index(character) for character in text[-16:]]
    text += characters[int(logits(tokens).argmax())]
print(text)
