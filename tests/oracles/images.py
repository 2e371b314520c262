#!/usr/bin/env python3
"""tests/fixtures/images: small images in every form, and what Pillow makes of them as PPM and PGM.

<name>.png or .jpg decodes to <name>.ppm or .pgm beside it; <name>.<fit>.<height>x<width>.p?m is <name> resized, by
resize(BILINEAR) or, for `cover`, by the arithmetic of torchvision's Resize and CenterCrop around it.
Needs Pillow >= 9 and numpy.
"""
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "images"


def pattern(height, width):
    """Slopes, a sharp edge and noise."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(7).integers(0, 60, (height, width, 3))
    smooth = np.stack([x * 190 // width, y * 190 // height, np.where(x > y, 180, 10)], -1)
    return Image.fromarray((smooth + noise).astype("u1"), "RGB")


def adam7(image):
    """An interlaced PNG of an RGB image; Pillow writes none."""
    pixels, raw = np.asarray(image), b""
    for top, left, down, along in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]:
        part = pixels[top::down, left::along]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def cover(image, height, width):
    if image.width * height <= image.height * width:
        whole = max(height, int(width * image.height / image.width)), width
    else:
        whole = height, max(width, int(height * image.width / image.height))
    top, left = (int(round((w - n) / 2.0)) for w, n in zip(whole, (height, width)))
    return image.resize(whole[::-1], Image.BILINEAR).crop((left, top, left + width, top + height))


def decoded(name, image):
    image.save(FOLDER / f"{name}.{'pgm' if image.mode == 'L' else 'ppm'}")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    colour, gray = pattern(13, 20), pattern(13, 20).convert("L")
    decoded("colour", colour)
    decoded("gray", gray)
    colour.save(FOLDER / "colour.png")
    gray.save(FOLDER / "gray.png")
    (FOLDER / "interlaced.png").write_bytes(adam7(colour))
    assert np.array_equal(np.asarray(Image.open(FOLDER / "interlaced.png")), np.asarray(colour))

    palette = colour.quantize(16)
    palette.save(FOLDER / "palette.png", transparency=3)
    decoded("palette", palette.convert("RGB"))
    one_bit = gray.point(lambda v: 255 * (v > 100)).convert("1")
    one_bit.save(FOLDER / "one_bit.png")
    decoded("one_bit", one_bit.convert("L"))
    alpha = colour.copy()
    alpha.putalpha(gray)
    alpha.save(FOLDER / "alpha.png")
    deep = np.asarray(gray).astype("u2") * 257 # 16 bits; each is an exact multiple, so 8 bits lose nothing
    Image.fromarray(deep).save(FOLDER / "deep.png")

    colour.save(FOLDER / "jpeg.jpg", quality=80)
    colour.save(FOLDER / "progressive.jpg", quality=80, progressive=True)
    gray.save(FOLDER / "jpeg_gray.jpg", quality=80)
    for name in ["jpeg", "progressive", "jpeg_gray"]:
        decoded(name, Image.open(FOLDER / f"{name}.jpg"))
    colour.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=80)

    for source, image in [("colour", colour), ("gray", gray)]:
        for height, width in [(13, 20), (5, 7), (26, 31), (1, 1), (13, 8), (6, 20)]:
            decoded(f"{source}.stretch.{height}x{width}", image.resize((width, height), Image.BILINEAR))
    for height, width in [(8, 8), (5, 5), (16, 16), (4, 12), (9, 3)]:
        decoded(f"colour.cover.{height}x{width}", cover(colour, height, width))
    tall = colour.transpose(Image.ROTATE_90)
    decoded("tall", tall)
    decoded("tall.cover.6x6", cover(tall, 6, 6))


main()
