"""Maps between canonical tensors and a framework's: there and back, and what they do to a network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from triptych.network.layouts import Layout, channels_first, to_canonical, to_native


@given(st.data())
def test_there_and_back_is_where_one_was(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    shapes = data.draw(st.lists(arrays.array_shapes(min_dims=3, max_dims=3, max_side=3), max_size=2))
    flattened = tuple(shapes)
    features = sum(int(np.prod(shape)) for shape in shapes) or data.draw(st.integers(1, 4))
    shape = (features, *data.draw(st.lists(st.integers(1, 3), min_size=rank - 1, max_size=rank - 1)))
    axes = data.draw(st.none() | st.permutations(range(rank)).map(tuple))
    layout = Layout("there", axes, flattened)
    canonical = np.arange(np.prod(shape)).reshape(shape)
    native = to_native(canonical, layout)
    np.testing.assert_array_equal(to_canonical(native, layout), canonical, strict=True)
    native[...] = -1
    assert canonical.min() >= 0  # a copy


@pytest.mark.parametrize(("height", "width", "channels"), [(2, 3, 4), (1, 1, 5), (3, 1, 2)])
def test_a_flattened_picture_is_met_channels_first(height: int, width: int, channels: int) -> None:
    picture = np.random.default_rng(0).random((height, width, channels))
    ours = np.concatenate([picture.ravel(), [7.0, 8.0]])
    theirs = np.concatenate([picture.transpose(2, 0, 1).ravel(), [7.0, 8.0]])
    order = channels_first(((height, width, channels), (2,)))
    np.testing.assert_array_equal(ours[order], theirs)
    kernel = np.random.default_rng(1).random((len(ours), 3))
    native = to_native(kernel, Layout("weight", (1, 0), ((height, width, channels), (2,))))
    np.testing.assert_allclose(native @ theirs, ours @ kernel)


def test_a_kernel_goes_from_hwio_to_oihw() -> None:
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    native = to_native(kernel, Layout("weight", (3, 2, 0, 1)))
    assert native.shape == (5, 4, 2, 3)
    assert native[4, 3, 1, 2] == kernel[1, 2, 3, 4]
