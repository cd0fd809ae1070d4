"""What emitted PyTorch quotes: operations of a network, and a training step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.frameworks.contract import Images, Masks
from triptych.network.conventions import PIXEL_SCALE
from triptych.network.layers import Shape
from triptych.network.layouts import channels_first


class Bias(nn.Module):
    """Adds one trained number a channel; PyTorch has biases in other modules only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.bias.view(-1, 1, 1) if x.ndim == 4 else self.bias)


class LayerNorm2d(nn.LayerNorm):
    """Normalizes the channels of each pixel; PyTorch's own wants them last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def dropout(
    x: Tensor, rate: float, masks: dict[str, Tensor] | None, name: str
) -> Tensor:
    """Inverted dropout: `masks` say which units to keep; without any, all are kept."""
    return x if masks is None else x * masks[name] / (1 - rate)


def average_pool(
    x: Tensor,
    size: int | tuple[int, int],
    stride: int | tuple[int, int],
    pads: tuple[int, int, int, int],
) -> Tensor:
    """Mean of each window, padding not counted; pads: left, right, top, bottom."""
    inside = F.pad(torch.ones_like(x[:1, :1]), pads)
    total = F.avg_pool2d(F.pad(x, pads), size, stride)
    return total / F.avg_pool2d(inside, size, stride)


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    masks: dict[str, Tensor] | None,
    learning_rate: float,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    bfloat16: bool = False,
) -> tuple[Tensor, Tensor]:
    """One step on a batch; gives the loss before it and how many were right."""
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        # What has a kernel computes in it anyway; an LSTM fails on many CPUs unless it
        # reads it, too.
        logits = network(images.bfloat16() if bfloat16 else images, masks)
    logits = logits.to(images.dtype)
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    optimizer.zero_grad()
    loss.backward()
    if weight_decay:  # decoupled from the gradient, on kernels only
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(1 - learning_rate * weight_decay)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return loss.detach(), (logits.argmax(1) == labels).sum()


def prepare(
    images: Images,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Images as the network sees them: NCHW of (pixel / 255 - mean) / std.

    Their channels are last in memory.
    """
    pixels = torch.from_numpy(images)
    if device.type == "cuda":
        # From pinned memory the copy does not wait for the steps that are under way.
        pixels = pixels.pin_memory()
    pixels = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2)
    pixels = pixels.to(dtype) / PIXEL_SCALE
    if any(mean) or set(std) != {1.0}:
        center, spread = (
            torch.tensor(values, dtype=dtype, device=device).view(1, -1, 1, 1)
            for values in (mean, std)
        )
        pixels = (pixels - center) / spread
    return pixels


def native_masks(
    masks: Masks, flattened: Mapping[str, tuple[Shape, ...]], device: torch.device
) -> dict[str, Tensor] | None:
    """Dropout masks in PyTorch's layout; None, which keeps every unit, if none."""
    native = {}
    for name, mask in masks.items():
        mask = mask.transpose(0, 3, 1, 2) if mask.ndim == 4 else mask
        mask = mask[:, channels_first(flattened[name])] if name in flattened else mask
        native[name] = torch.from_numpy(np.ascontiguousarray(mask)).to(device)
    return native or None
