"""What emitted PyTorch quotes: operations of a network, and a training step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.frameworks.contract import Images
from triptych.network.conventions import PIXEL_SCALE


class Bias(nn.Module):
    """Adds one trained number a channel; PyTorch has biases in other modules only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.bias.view(-1, 1, 1) if x.ndim == 4 else self.bias)


class Scale(nn.Module):
    """Multiplies each channel by a trained number, which is `start` at first."""

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.scale.view(-1, 1, 1) if x.ndim == 4 else self.scale)


class LayerNorm2d(nn.LayerNorm):
    """Normalizes the channels of each pixel; PyTorch's own wants them last."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ClassToken(nn.Module):
    """One more token, the same for every image and trained, before all others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)


class PositionEmbedding(nn.Module):
    """A trained number for each token and channel, added to it."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.position = nn.Parameter(0.02 * torch.randn(1, tokens, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.position


class Attention(nn.Module):
    """Self-attention of several heads (Vaswani et al., 2017)."""

    def __init__(self, channels: int, heads: int, rate: float = 0.0) -> None:
        super().__init__()
        self.heads, self.rate = heads, rate
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(
        self, x: Tensor, masks: dict[str, Tensor] | None = None, name: str = ""
    ) -> Tensor:
        split = self.qkv(x).unflatten(-1, (3, self.heads, -1))
        q, k, v = split.permute(2, 0, 3, 1, 4)
        weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        weights = dropout(weights, self.rate, masks, name)
        return self.out((weights @ v).transpose(1, 2).flatten(start_dim=2))


def dropout(
    x: Tensor, rate: float, masks: dict[str, Tensor] | None, name: str
) -> Tensor:
    """Inverted dropout: `masks` say which units to keep; without any, all are kept."""
    return x if masks is None else x * masks[name] / (1 - rate)


def stochastic_depth(
    x: Tensor, rate: float, masks: dict[str, Tensor] | None, name: str
) -> Tensor:
    """Dropout of whole images, for each of which the mask has one number."""
    return dropout(x, rate, masks, name)


def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x / 6 + 1/2, 0), 1); the slope of `F.hardsigmoid` is a float32."""
    return torch.where(x.abs() < 3, x / 6 + 0.5, (x > 0).to(x.dtype))


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
                if parameter.ndim in (2, 4):
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
