"""Maps between canonical tensors and a framework's: there and back, and what they do to
a network.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from triptych.network.layouts import (
    Layout,
    channels_first,
    gate_order,
    to_canonical,
    to_native,
)


@given(st.data())
def test_there_and_back_is_where_one_was(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    shapes = data.draw(
        st.lists(arrays.array_shapes(min_dims=3, max_dims=3, max_side=3), max_size=2)
    )
    flattened = tuple(shapes)
    features = sum(int(np.prod(shape)) for shape in shapes) or data.draw(
        st.integers(1, 4)
    )
    shape = (
        features,
        *data.draw(st.lists(st.integers(1, 3), min_size=rank - 1, max_size=rank - 1)),
    )
    axes = data.draw(st.none() | st.permutations(range(rank)).map(tuple))
    layout = Layout("there", axes, flattened)
    canonical = np.arange(np.prod(shape)).reshape(shape)
    native = to_native(canonical, layout)
    np.testing.assert_array_equal(to_canonical(native, layout), canonical, strict=True)
    native[...] = -1
    assert canonical.min() >= 0  # a copy


@pytest.mark.parametrize(
    ("height", "width", "channels"), [(2, 3, 4), (1, 1, 5), (3, 1, 2)]
)
def test_a_flattened_image_is_met_channels_first(
    height: int, width: int, channels: int
) -> None:
    image = np.random.default_rng(0).random((height, width, channels))
    ours = np.concatenate([image.ravel(), [7.0, 8.0]])
    theirs = np.concatenate([image.transpose(2, 0, 1).ravel(), [7.0, 8.0]])
    order = channels_first(((height, width, channels), (2,)))
    np.testing.assert_array_equal(ours[order], theirs)
    kernel = np.random.default_rng(1).random((len(ours), 3))
    native = to_native(
        kernel, Layout("weight", (1, 0), ((height, width, channels), (2,)))
    )
    np.testing.assert_allclose(native @ theirs, ours @ kernel)


def test_gates_stand_in_the_frameworks_order() -> None:
    assert gate_order("rzn", "rzn") == ()
    order = gate_order("rzn", "zrn")
    assert order == (1, 0, 2)
    # Units (1, 2) of r, z and n.
    kernel = np.array([[11, 12, 21, 22, 31, 32], [13, 14, 23, 24, 33, 34]])
    ours = Layout("weight", gates=order)
    native = to_native(kernel, ours)
    np.testing.assert_array_equal(
        native, [[21, 22, 11, 12, 31, 32], [23, 24, 13, 14, 33, 34]]
    )
    np.testing.assert_array_equal(to_canonical(native, ours), kernel)
    cycle = Layout("weight", (1, 0), gates=gate_order("ifgo", "oifg"))
    native = to_native(np.arange(8).reshape(2, 4), cycle)
    np.testing.assert_array_equal(native.T, [[3, 0, 1, 2], [7, 4, 5, 6]])
    np.testing.assert_array_equal(
        to_canonical(native, cycle), np.arange(8).reshape(2, 4)
    )


def test_a_tensor_may_be_a_row_of_a_frameworks() -> None:
    held = np.zeros((2, 3))
    first, second = (Layout("bias", gates=(1, 0, 2), row=row) for row in (0, 1))
    once = to_native(np.array([1.0, 2.0, 3.0]), first, held)
    twice = to_native(np.array([4.0, 5.0, 6.0]), second, once)
    np.testing.assert_array_equal(twice, [[2, 1, 3], [5, 4, 6]])
    assert not held.any()  # a copy
    np.testing.assert_array_equal(to_canonical(twice, first), [1, 2, 3])
    np.testing.assert_array_equal(to_canonical(twice, second), [4, 5, 6])


def test_a_kernel_goes_from_hwio_to_oihw() -> None:
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    native = to_native(kernel, Layout("weight", (3, 2, 0, 1)))
    assert native.shape == (5, 4, 2, 3)
    assert native[4, 3, 1, 2] == kernel[1, 2, 3, 4]
