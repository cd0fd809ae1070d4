"""The talk's PyTorch notebook in today's PyTorch: Pillow in the loop, an `nn.Module`,
Adam.

Every image is decoded again in every epoch, in the main thread; batches are NCHW and
contiguous, nothing is compiled. As in the notebook, batch norms are declared and never
called, dropout is called without effect, images lie in [-1, 1], and initial values
are PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from common import Asked, begin, class_names, decoded


def batches(
    asked: Asked, part: str, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images in [-1, 1] and labels, one pass over a part; training is shuffled."""
    for images, labels in decoded(asked, part, random, Image.Resampling.BILINEAR):
        scaled = [
            (image.transpose(2, 0, 1).astype("float32") / 255 - 0.5) / 0.5
            for image in images
        ]
        yield torch.from_numpy(np.ascontiguousarray(scaled)), torch.tensor(labels)


class Network(nn.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(32)
        self.conv4 = nn.Conv2d(32, 32, 3, padding=1)
        self.norm4 = nn.BatchNorm2d(32)
        self.hidden = nn.Linear((size // 4) ** 2 * 32, 256)
        self.out = nn.Linear(256, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.conv3(x))
        x = F.max_pool2d(F.relu(self.conv4(x)), 2)
        x = F.relu(self.hidden(x.flatten(1)))
        x = F.dropout(x, 0.5, training=False)  # False was the default then
        return self.out(x)


def main() -> None:
    asked, log = begin(__doc__, batch=10)
    torch.manual_seed(asked.seed)
    random = np.random.default_rng(asked.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = Network(asked.image_size, len(class_names(asked.folder))).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(asked.epochs):
        log.epoch_begins()
        losses = []
        for images, labels in batches(asked, "train", random):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        log.training_ends()
        right, total = 0, 0
        with torch.no_grad():
            for images, labels in batches(asked, "test", random):
                right += int(
                    (network(images.to(device)).argmax(1).cpu() == labels).sum()
                )
                total += len(labels)
        if log.epoch_ends(sum(losses) / len(losses), right / total):
            break
    log.done("torch", "numpy", "pillow")


if __name__ == "__main__":
    main()
