"""Compares what another program computes of inputs.npy with predictions.jsonl of `lockstep predict`.

predictions.py onnx MODEL.onnx | torch FOLDER
"""

import json
import sys

import numpy as np


def predict_with_onnx(path, inputs, name):
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path)
    # The last output is the prediction; the one before it, the logits.
    if name == "probabilities":
        assert [output.name for output in session.get_outputs()] == ["logits", name]
    return session.run(None, {"input": inputs})[-1]


def predict_with_torch(folder, inputs, name):
    import torch

    sys.path.insert(0, folder)
    import model

    return model.predict(model.load(), torch.from_numpy(inputs)).numpy()


kind, path = sys.argv[1:3]
predictions = [json.loads(line) for line in open("predictions.jsonl")]
name = "probabilities" if "probabilities" in predictions[0] else "values"
ours = np.array([prediction[name] for prediction in predictions])
predict = {"onnx": predict_with_onnx, "torch": predict_with_torch}[kind]
theirs = predict(path, np.load("inputs.npy"), name)
assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
difference = np.abs(ours - theirs).max() / np.abs(ours).max()
print(f"{kind}: relative difference {difference:.1e}, deviation {ours.std():.1e}")
assert difference <= 1e-4, difference
