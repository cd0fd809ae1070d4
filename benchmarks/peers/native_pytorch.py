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


class Pictures(Dataset[tuple[Tensor, int]]):
    """Pictures (channels, height, width) in [0, 1] with their labels."""

    def __init__(self, asked: Asked, part: str) -> None:
        self.paths, self.labels = listing(asked.folder, part)
        self.size, self.augment = asked.size, asked.augment and part == "train"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[index]) as image:
            resized = image.convert("RGB").resize(
                (self.size, self.size), Image.Resampling.BILINEAR
            )
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()
        picture = pixels.float() / 255
        if self.augment:
            picture = flip_and_shift(picture)
        return picture, self.labels[index]


def flip_and_shift(picture: Tensor) -> Tensor:
    size = picture.shape[-1]
    reach = int(size * SHIFT)
    if random.random() < 0.5:
        picture = picture.flip(2)
    padded = F.pad(picture, (reach, reach, reach, reach), mode="reflect")
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
        Pictures(asked, "train"), asked.batch, shuffle=True, num_workers=2
    )
    test = DataLoader(Pictures(asked, "test"), asked.batch, num_workers=2)
    network = build(asked.size, len(class_names(asked.folder))).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(asked.epochs):
        log.epoch_begins()
        network.train()
        losses = []
        for pictures, labels in train:
            loss = F.cross_entropy(network(pictures.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        log.training_ends()
        network.eval()
        right, total = 0, 0
        with torch.inference_mode():
            for pictures, labels in test:
                right += int(
                    (network(pictures.to(device)).argmax(1).cpu() == labels).sum()
                )
                total += len(labels)
        if log.epoch_ends(sum(losses) / len(losses), right / total):
            break
    log.done("torch", "numpy", "pillow")


if __name__ == "__main__":
    main()
