"""Predictions and evaluations on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import RenderableType

from triptych.commands.predict.evaluation import Evaluation
from triptych.commands.predict.prediction import Predictions
from triptych.terminal import first_few, table


def prediction_lines(found: Predictions) -> list[str]:
    """Label, the three largest probabilities and path of each image, and what
    answered.

    The path stands last, so that it is whole however long it is.
    """
    rows = [("label", "probabilities", "image")]
    for one in found.predictions:
        ranked = sorted(one.probabilities.items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{name} {share:.1%}" for name, share in ranked)
        rows.append((one.label or "-", one.error or shares, one.image))
    return [*_aligned(rows), *found.model.sentences()]


def passed_over_lines(found: Predictions) -> list[str]:
    """The files in folders that are no images: how many, and the first few."""
    if not found.passed_over:
        return []
    return [
        f"{len(found.passed_over):,} file(s) skipped, not images: "
        f"{first_few(found.passed_over)}"
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, in columns; the last cells are of any length."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = []
    for row in rows:
        cells = [set_cell_size(*one) for one in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]))
    return lines


def evaluation_parts(evaluation: Evaluation) -> list[RenderableType]:
    """The accuracy in a sentence, of what, who answered, and the confusion matrix."""
    low, high = evaluation.accuracy_interval
    counts = table()
    counts.add_column("")
    for name in evaluation.classes:
        counts.add_column(name, justify="right")
    for name, row in zip(evaluation.classes, evaluation.confusion, strict=True):
        counts.add_row(name, *(str(count) if count else "·" for count in row))
    part = "all images" if evaluation.part == "all" else f"the {evaluation.part} split"
    return [
        f"Accuracy {evaluation.accuracy:.1%} on {evaluation.images:,} images "
        f"(95 % CI {100 * low:.1f} to {100 * high:.1f}): "
        f"{part} of {evaluation.source}",
        *_seen_lines(evaluation),
        *evaluation.model.sentences(),
        "",
        "Rows: true class; columns: predicted class.",
        counts,
    ]


def _seen_lines(evaluation: Evaluation) -> list[str]:
    """What the run has seen of the images before, be they counted in or left out."""
    lines = []
    if evaluation.left_out:
        known = evaluation.left_out_trained_on
        seen = f"; the run was trained on {known:,} of them" if known else ""
        lines.append(
            f"{evaluation.left_out:,} images of other splits are left out{seen}. "
            "See --part."
        )
    if evaluation.trained_on:
        others = evaluation.images - evaluation.trained_on
        rest = (
            f"; on the other {others:,} it is {evaluation.accuracy_on_others:.1%}"
            if others
            else ""
        )
        lines.append(
            f"The run was trained on {evaluation.trained_on:,} of these "
            f"{evaluation.images:,} images, which inflates the accuracy{rest}."
        )
    return lines
