"""Makes small image files, and what Pillow reads from them.

For NAME: NAME.full has the bytes of the upright image as RGB, NAME.crop those after torchvision's
Resize(32) and CenterCrop([24, 28]) in Pillow. Needs Pillow and NumPy: python3 make-images.py
"""

import io
import pathlib

import numpy
from PIL import Image, ImageOps

folder = pathlib.Path(__file__).parent / "Images"
folder.mkdir(exist_ok=True)
y, x = numpy.mgrid[0:47, 0:61]
waves = [numpy.sin(x / 9 + c) * numpy.cos(y / (7 + c)) for c in range(3)]
colors = Image.fromarray((numpy.stack(waves, -1) * 100 + 128).astype("uint8"))
grey = colors.convert("L")
alpha = Image.fromarray(((x * 4) % 256).astype("uint8"))
clear = colors.copy()
clear.putalpha(alpha)
palette = colors.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
sideways = Image.Exif()
sideways[0x0112] = 6

files = {
    "colors.jpg": (colors, {"quality": 90}),
    "progressive.jpg": (colors, {"quality": 90, "progressive": True}),
    "grey.jpg": (grey, {"quality": 90}),
    "cmyk.jpg": (colors.convert("CMYK"), {"quality": 90}),
    "sideways.jpg": (colors, {"quality": 90, "exif": sideways}),
    "colors.png": (colors, {}),
    "grey.png": (grey, {}),
    "alpha.png": (clear, {}),
    "grey-alpha.png": (clear.convert("LA"), {}),
    "palette.png": (palette, {}),
    "palette-alpha.png": (palette, {"transparency": 5}),
    "bits.png": (grey.point(lambda v: v > 128 and 255).convert("1"), {}),
}
for name, (image, options) in files.items():
    data = io.BytesIO()
    image.save(data, {"jpg": "JPEG", "png": "PNG"}[name.split(".")[1]], **options)
    (folder / name).write_bytes(data.getvalue())
    upright = ImageOps.exif_transpose(Image.open(folder / name)).convert("RGB")
    (folder / f"{name}.full").write_bytes(upright.tobytes())
    width, height = upright.size
    size = (32, int(32 * height / width)) if width <= height else (int(32 * width / height), 32)
    resized = upright.resize(size, Image.Resampling.BILINEAR)
    left, top = int(round((size[0] - 28) / 2.0)), int(round((size[1] - 24) / 2.0))
    crop = resized.crop((left, top, left + 28, top + 24))
    (folder / f"{name}.crop").write_bytes(crop.tobytes())
