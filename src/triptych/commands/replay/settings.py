"""What a replay is asked."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.errors import UsageError, check_least, did_you_mean, quote
from triptych.frameworks import registry
from triptych.network.zoo import NOTEBOOKS


@dataclass(frozen=True)
class ReplaySettings:
    """Everything that decides a replay."""

    images: str = "sports"
    recipes: tuple[str, ...] = NOTEBOOKS
    """Names of recipes that ship, or recipe files."""
    seeds: int = 3
    framework: str = "pytorch"
    epochs: int | None = None
    """For all recipes alike; None for each recipe's own."""
    image_size: int | None = None
    full: bool = False
    worst: str | None = None
    """Where the ablation begins; None for the recipe of the lowest test accuracy."""
    best: str | None = None

    def __post_init__(self) -> None:
        for name in ("seeds", "epochs", "image_size"):
            if (number := getattr(self, name)) is not None:
                whole = check_least(name, number, 1)
                object.__setattr__(self, name, whole)  # NumPy's cannot be stored
        if len(self.recipes) < 2 or len(set(self.recipes)) < len(self.recipes):
            raise UsageError("recipes: name two or more, each once")
        for end in (self.worst, self.best):
            if end is not None and end not in self.recipes:
                raise UsageError(
                    f"{quote(end)} is not one of the recipes: "
                    f"{did_you_mean(end, self.recipes)}"
                )
        if self.worst is not None and self.worst == self.best:
            raise UsageError(f"worst and best are both {self.worst}")
        registry.find(self.framework)
