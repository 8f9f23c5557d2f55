"""Prints what TensorBoard finds in a folder."""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0, "images": 0})
events.Reload()
for name in events.Tags()["scalars"]:
    steps = [event.step for event in events.Scalars(name)]
    assert steps == sorted(set(steps)), steps
    print(f"{name}: {len(steps)} steps from {steps[0]} to {steps[-1]}")
for name in events.Tags()["histograms"]:
    histograms = [event.histogram_value for event in events.Histograms(name)]
    print(f"{name}: {len(histograms)} histograms of {int(histograms[0].num)} numbers")
    for histogram in histograms:
        assert sum(histogram.bucket) == histogram.num
        assert histogram.min <= histogram.bucket_limit[0] <= histogram.max
for name in events.Tags()["images"]:
    for image in events.Images(name):
        assert image.encoded_image_string.startswith(b"\x89PNG")
        print(f"{name}: an image of {image.width} x {image.height} pixels")
