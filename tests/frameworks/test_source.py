"""What is said of a network's source."""

from __future__ import annotations

from triptych.frameworks.source import count_lines

SOURCE = '''"""lenet in PyTorch: 28 x 28 x 1 images,
10 classes."""

import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]


@torch.jit.script
def dropout(x: Tensor) -> Tensor:
    """A helper of the conventions."""
    return x


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # what a dense layer is
        self.dense1 = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits
        of NCHW images.
        """
        return dropout(self.dense1(x))
'''


def test_lines_are_those_that_a_user_would_write() -> None:
    """Imports, a name for a type, the network; no helper, comment or blank line."""
    assert count_lines(SOURCE) == 3 + 6


def test_a_helper_more_changes_no_count() -> None:
    helper = "\n\nclass Bias(nn.Module):\n    def forward(self, x):\n        return x\n"
    helped = SOURCE.replace("\n\nclass Network", f"{helper}\n\nclass Network")
    assert count_lines(helped) == 9
