"""Batched random views of images: one draw per image, on the CPU or on a GPU.

- `policies.py`: what to draw for which images, and how strongly (start here)
- `geometry.py`: resized crop, flip, shift, rotation, scale, shear
- `colour.py`: brightness, contrast, saturation, hue and grayscale as one map per image

Imports torch alone. Everything is a pure function of tensors: nothing waits for the device, and no
Python loop runs over images. Images are (B, C, H, W) floats in [0, 1]; the type goes in and out
unchanged.
"""

from trainers.augmentation.policies import (
    Augmentation,
    Digits,
    NaturalImages,
    Shifts,
    Views,
    augmentation_for,
)

__all__ = ["Augmentation", "Digits", "NaturalImages", "Shifts", "Views", "augmentation_for"]
