"""Accuracy and confusions on a folder, with a look at what the run has seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from triptych.commands.predict.model import Loaded, Model, find_model
from triptych.errors import ImagesError, UsageError, did_you_mean
from triptych.images.reader import printable
from triptych.images.source import ImageSource, open_images
from triptych.images.split import PART_NAMES, TEST, TRAIN, UNDECIDED
from triptych.images.store import Store
from triptych.network.layers import pair
from triptych.running.folder import RunFolder
from triptych.running.scores import confusion_matrix, interval

Part = Literal["test", "validation", "train", "all"]
PARTS: tuple[Part, ...] = get_args(Part)


class Evaluation(Struct, kw_only=True):
    """How accurate a network is on one part of some images."""

    model: Model
    source: str
    part: Part
    images: Annotated[
        int,
        Meta(description="Number of images in this part; most figures are about them."),
    ]
    left_out: Annotated[int, Meta(description="Number of images in the other parts.")]
    left_out_trained_on: Annotated[
        int, Meta(description="How many of those the run was trained on.")
    ]
    trained_on: Annotated[
        int, Meta(description="How many images of this part the run was trained on.")
    ]
    accuracy: float
    accuracy_interval: tuple[float, float]
    accuracy_on_others: Annotated[
        float | None,
        Meta(description="Accuracy on the images it was not trained on; null if none."),
    ]
    classes: list[str]
    confusion: list[list[int]]
    """Rows the true class, columns the predicted."""

    def _repr_html_(self) -> str:
        from triptych.commands.predict.terminal import evaluation_parts
        from triptych.terminal import to_html

        return to_html(*evaluation_parts(self))


def evaluate(
    run: Path | str,
    images: ImageSource,
    *,
    part: Part = "test",
    framework: str | None = None,
    weights: str | None = None,
) -> Evaluation:
    """Accuracy and confusion matrix of the run's network on one part of some images: a
    folder, an archive, a built-in set or arrays (images, labels).

    An image that the run has seen, wherever it is and whatever it is called, belongs to
    the part that it had in the run; any other to that of its folder (train, val, test),
    or to the test part if its folder does not say. `framework` and `weights` choose
    what computes, as in `predict`. The classes must be among the run's, by name; raises
    ImagesError if not, or if the part is empty.
    """
    if part not in PARTS:
        raise UsageError(f"there is no part {part!r}: {did_you_mean(part, PARTS)}")
    folder = RunFolder.open(run)
    model, recipe = find_model(folder, framework, weights), folder.recipe()
    store = open_images(
        images, size=pair(recipe.image_size), fit=recipe.fit, resize=recipe.resize
    )
    classes = folder.classes()
    labels = _labels(store, classes)
    known, parts = _parts(folder, store)
    chosen = _chosen(parts, part, store.source)
    rows, trained_on = np.flatnonzero(chosen), known == TRAIN
    with Loaded(model) as loaded:
        logits = loaded.logits(store.path / "images.bin", store.images.shape, rows)
    predicted = logits.argmax(axis=1)
    right = predicted == labels[rows]
    others = right[~trained_on[rows]]
    return Evaluation(
        model=model,
        source=printable(store.source),
        part=part,
        images=len(rows),
        left_out=len(store) - len(rows),
        left_out_trained_on=int((trained_on & ~chosen).sum()),
        trained_on=int((trained_on & chosen).sum()),
        accuracy=float(right.mean()),
        accuracy_interval=interval(int(right.sum()), len(rows)),
        accuracy_on_others=float(others.mean()) if len(others) else None,
        classes=classes,
        confusion=confusion_matrix(labels[rows], predicted, len(classes)),
    )


def _chosen(parts: NDArray[np.uint8], part: Part, source: str) -> NDArray[np.bool_]:
    """Which images a part has. Raises ImagesError if it has none."""
    if part == "all":
        return np.ones(len(parts), np.bool_)
    chosen = parts == PART_NAMES.index(part)
    if not chosen.any():
        counts = zip(
            PART_NAMES, np.bincount(parts, minlength=len(PART_NAMES)), strict=True
        )
        there = ", ".join(
            f"{name} {count:,}" for name, count in counts if name in PARTS
        )
        raise ImagesError(
            f"{source}: its {part} split has no images ({there}); "
            "choose another with --part"
        )
    return np.asarray(chosen)


def _labels(store: Store, classes: list[str]) -> NDArray[np.int64]:
    """The class of each image as the network numbers it. Raises ImagesError for one
    that it lacks.
    """
    unknown = sorted(set(store.classes) - set(classes))
    if unknown:
        raise ImagesError(
            f"{store.source}: the network has no class {', '.join(unknown)}; "
            f"its classes are {', '.join(classes)}"
        )
    ours = np.array([classes.index(name) for name in store.classes])
    return np.asarray(ours[np.asarray(store.labels)])


def _parts(run: RunFolder, store: Store) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The part that each image had in the run, UNDECIDED if it is new to it; and the
    one it has here.
    """
    had = run.parts()
    known = np.array(
        [had.get(digest.tobytes(), UNDECIDED) for digest in store.digests], np.uint8
    )
    here = np.where(store.parts == UNDECIDED, TEST, store.parts)
    return known, np.where(known == UNDECIDED, here, known)
