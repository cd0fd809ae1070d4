"""Features made by hand, for a network to beat: histograms of oriented gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELL, ORIENTATIONS = 8, 9


def orientations(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How strongly the light changes in each direction: (images, rows, columns of
    cells, 9 directions).

    A cell is 8 x 8 pixels. Direction k is the angle of (k + 1/2) 20 degrees from the
    horizontal, downwards; a change from dark to bright counts like one from bright to
    dark.
    """
    light = np.sqrt(images.astype(np.float32) / 255)
    down, right = np.zeros_like(light), np.zeros_like(light)
    down[:, 1:-1] = light[:, 2:] - light[:, :-2]
    right[:, :, 1:-1] = light[:, :, 2:] - light[:, :, :-2]
    # Of the three colors the one with the strongest gradient speaks for the pixel.
    strongest = np.hypot(down, right).argmax(axis=-1)[..., None]
    down, right = (
        np.take_along_axis(part, strongest, axis=-1)[..., 0] for part in (down, right)
    )
    strength = np.hypot(down, right)
    # A pixel's strength is shared by the two directions that it lies between.
    position = np.arctan2(down, right) % np.pi / np.pi * ORIENTATIONS - 0.5
    lower = np.floor(position)
    upper_share = position - lower

    many, height, width = strength.shape
    rows, columns = height // CELL, width // CELL
    cells = np.empty((many, rows, columns, ORIENTATIONS), np.float32)
    for orientation in range(ORIENTATIONS):
        share = (lower % ORIENTATIONS == orientation) * (1 - upper_share)
        share += ((lower + 1) % ORIENTATIONS == orientation) * upper_share
        inside = (strength * share)[:, : rows * CELL, : columns * CELL]
        by_cell = inside.reshape(many, rows, CELL, columns, CELL)
        cells[..., orientation] = by_cell.sum(axis=(2, 4))
    return cells


def hog(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal and Triggs, 2005): one row of features an
    image.

    Cells are taken in blocks of 2 x 2, each of which is normalized: so light and
    contrast hardly matter.
    """
    cells = orientations(images)
    many, rows, columns, _ = cells.shape
    corners = [
        cells[:, i : rows - 1 + i, j : columns - 1 + j] for i in (0, 1) for j in (0, 1)
    ]
    blocks = np.concatenate(corners, axis=-1)
    for ceiling in (0.2, np.inf):  # L2 norm, clipped, L2 norm again
        blocks /= np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-3)
        blocks = np.minimum(blocks, ceiling)
    return blocks.reshape(many, -1)
