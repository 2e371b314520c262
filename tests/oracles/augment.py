#!/usr/bin/env python3
"""tests/fixtures/augment.hpp: torchvision's adjust_brightness, adjust_contrast and adjust_saturation.

Needs torch >= 1.13 and torchvision >= 0.14.
"""
import numpy as np
import torch
import torchvision
import torchvision.transforms.functional as light

import header

FACTORS = np.array([0.25, 0.75, 1, 1.5], "f4")
torch.manual_seed(1)
pixels, gray = torch.rand(3, 3, 4), torch.rand(1, 3, 4)


def each(change, image):
    return np.stack([change(image, float(f)).numpy().ravel() for f in FACTORS])


header.write(__file__, f"torch {torch.__version__} and torchvision {torchvision.__version__}", "augment", {
    "factors": FACTORS,
    "pixels": pixels.numpy().ravel(),
    "gray_pixels": gray.numpy().ravel(),
    "brightness": each(light.adjust_brightness, pixels),
    "contrast": each(light.adjust_contrast, pixels),
    "saturation": each(light.adjust_saturation, pixels),
    "gray_contrast": each(light.adjust_contrast, gray),
})
