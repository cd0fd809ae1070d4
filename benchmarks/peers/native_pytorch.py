"""What a fluent user of PyTorch writes today: a `Dataset` on Pillow, a `DataLoader`
with workers, AdamW.
"""

from __future__ import annotations

import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from common import SHIFT, Asked, begin, class_names, listing


class Images(Dataset[tuple[Tensor, int]]):
    """Images (channels, height, width) in [0, 1] with their labels."""

    def __init__(self, asked: Asked, part: str) -> None:
        self.paths, self.labels = listing(asked.folder, part)
        self.size, self.augment = asked.image_size, asked.augment and part == "train"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[index]) as file:
            resized = file.convert("RGB").resize(
                (self.size, self.size), Image.Resampling.BILINEAR
            )
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()
        pixels = pixels.float() / 255
        if self.augment:
            pixels = flip_and_shift(pixels)
        return pixels, self.labels[index]


def flip_and_shift(image: Tensor) -> Tensor:
    size = image.shape[-1]
    reach = int(size * SHIFT)
    if random.random() < 0.5:
        image = image.flip(2)
    padded = F.pad(image, (reach, reach, reach, reach), mode="reflect")
    top, left = random.randint(0, 2 * reach), random.randint(0, 2 * reach)
    return padded[:, top : top + size, left : left + size]


def build(size: int, classes: int) -> nn.Sequential:
    def block(channels: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]

    return nn.Sequential(
        *block(3),
        *block(32),
        nn.MaxPool2d(2),
        *block(32),
        *block(32),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear((size // 4) ** 2 * 32, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, classes),
    )


def main() -> None:
    asked, log = begin(__doc__, batch=32)
    torch.manual_seed(asked.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train = DataLoader(
        Images(asked, "train"), asked.batch_size, shuffle=True, num_workers=2
    )
    test = DataLoader(Images(asked, "test"), asked.batch_size, num_workers=2)
    network = build(asked.image_size, len(class_names(asked.folder))).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(asked.epochs):
        log.epoch_begins()
        network.train()
        losses = []
        for images, labels in train:
            loss = F.cross_entropy(network(images.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        log.training_ends()
        network.eval()
        right, total = 0, 0
        with torch.inference_mode():
            for images, labels in test:
                right += int(
                    (network(images.to(device)).argmax(1).cpu() == labels).sum()
                )
                total += len(labels)
        if log.epoch_ends(sum(losses) / len(losses), right / total):
            break
    log.done("torch", "numpy", "pillow")


if __name__ == "__main__":
    main()
