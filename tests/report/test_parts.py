"""What the page is made of: words, pens, plots, chosen images, confusions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from triptych.commands.compare import confusions
from triptych.commands.compare.predictions import SHOWN, Answers, find_store, groups
from triptych.frameworks import registry
from triptych.images.store import Store
from triptych.report import words
from triptych.report.plots import (
    AblationStep,
    Curve,
    ablation_plot,
    accuracy_plot,
    loss_plot,
    pens,
)
from triptych.running.folder import RunFolder
from triptych.running.result import read_result

FOUR = pens(
    [(name, name.title(), registry.find(name).color) for name in registry.DEFAULT]
)


@pytest.mark.parametrize(
    ("said", "as_text"),
    [
        (words.percent(0.8619), "86.2 %"),
        (words.probability(1.0), "100 %"),
        (words.probability(0.9999), "> 99 %"),
        (words.probability(0.994), "99 %"),
        (words.span(0.862, 0.871), "86.2 to 87.1 %"),
        (words.span(0.86199, 0.86201), "86.2 %"),
        (words.spelled(1, "framework"), "one framework"),
        (words.spelled(12, "framework"), "12 frameworks"),
        (words.rate(98.26), "98.3"),
        (words.rate(7341.4), "7,341"),
        (words.seconds(0.714), "0.71 s"),
        (words.seconds(24.55), "24.6 s"),
        (words.seconds(99.97), "1 min 40 s"),
        (words.seconds(7530), "2 h 5 min"),
        (words.gap(0), "0"),
        (words.gap(2.384e-7), "2.4e-7"),
        (words.gap(0.0341), "0.034"),
        (words.gap(2.46), "2.5"),
    ],
)
def test_figures_read_well(said: str, as_text: str) -> None:
    assert said.replace("\xa0", " ") == as_text


@pytest.mark.parametrize("value", [2.24, 0.07, 1.0])
def test_spacing_is_that_of_the_precision(value: float) -> None:
    assert words.spacing(value, "float64") == np.spacing(value)
    assert words.spacing(value, "float32") == np.spacing(np.float32(value))
    assert words.spacing(value, "bfloat16") == 2**16 * np.spacing(np.float32(value))


def test_headline(traps: RunFolder) -> None:
    result = read_result(traps)
    first, second = result.frameworks.values()
    first.test_accuracy, second.test_accuracy = 0.862, 0.871
    result.images.test = 1775
    result.agreement.first_step_loss_gap = 3.2e-7
    assert words.headline(result).replace("\xa0", " ") == (
        "Two frameworks, proved equal: test accuracy 86.2 to 87.1 % on 1,775 images, "
        "first-step losses at most 3.2e-7 apart."
    )
    result.agreement.first_step_loss_gap = 0
    second.test_accuracy = 0.862
    expected = (
        "test accuracy 86.2 % in each on 1,775 images, first-step losses identical."
    )
    assert words.headline(result).replace("\xa0", " ").endswith(expected)


def test_coinciding_curves_can_be_told_apart() -> None:
    widths = [pen.width for pen in FOUR]
    assert widths == sorted(set(widths), reverse=True)
    assert all(wide - narrow >= 1.5 for wide, narrow in itertools.pairwise(widths))
    assert len({pen.dashes for pen in FOUR}) == len({pen.marker for pen in FOUR}) == 4


@pytest.mark.parametrize("draw", [loss_plot, accuracy_plot])
def test_plots_take_their_colors_from_the_page_and_can_be_made_again(
    draw: Callable[[list[Curve]], object],
) -> None:
    curves = [Curve(pen, [0.5, 0.25, 0.125]) for pen in FOUR]
    plot = draw(curves)
    assert plot == draw(curves)
    text = str(plot)
    assert all(f"var(--{pen.name})" in text and pen.color not in text for pen in FOUR)
    assert "var(--ink)" in text
    assert "#0a0a0" not in text


def test_a_walk_from_a_recipe_far_away_has_room_for_its_name() -> None:
    """A path is as long as it likes, and a dollar sign begins no formula."""
    path = f"/home/user/{'a long folder/' * 12}$x^$/mine.toml"
    steps = [
        AblationStep(path, 0.5, (0.4, 0.6), [0.4, 0.6]),
        AblationStep("dropout: 0.5", 0.6, None, [0.6]),
    ]
    drawn = str(ablation_plot("forwards", "#0b57d0", steps, 0.2).svg)
    assert "$x^$/mine.toml</text>" in drawn
    assert "dropout: 0.5</text>" in drawn


def test_long_curves_are_averaged_in_groups() -> None:
    falling = np.linspace(3, 1, 100_000).tolist()
    plot = loss_plot([Curve(pen, falling) for pen in FOUR])
    assert plot.group == 500
    assert len(plot.svg) < 60_000
    assert loss_plot([Curve(FOUR[0], [2.0])]).group == 1


def test_largest_confusions_come_first_and_the_diagonal_never() -> None:
    one = [[50, 3, 0], [7, 40, 0], [0, 0, 9]]
    other = [[51, 2, 0], [9, 38, 0], [0, 0, 9]]
    found = confusions.largest({"a": one, "b": other}, ["x", "y", "z"])
    assert [(f.truth, f.said, f.counts, f.of) for f in found] == [
        ("y", "x", [7, 9], 47),
        ("x", "y", [3, 2], 53),
    ]


def test_matrix_shares_are_of_the_row() -> None:
    cells = confusions.matrix([[3, 1], [0, 0]])
    assert [[cell.share for cell in row] for row in cells] == [[0.75, 0.25], [0, 0]]
    assert [[cell.right for cell in row] for row in cells] == [
        [True, False],
        [False, True],
    ]


@pytest.fixture
def store(digits: RunFolder) -> Store:
    found = find_store(digits.images().key)
    assert found is not None
    return found


def said(labels: NDArray[np.int64], sure: Any = 5.0) -> NDArray[Any]:
    """Logits that name `labels`."""
    return np.eye(10, dtype=np.float32)[labels] * np.reshape(
        np.broadcast_to(sure, labels.shape), (-1, 1)
    )


def test_images_are_grouped_by_who_is_right(store: Store) -> None:
    truth = np.asarray(store.labels[:60]).astype(np.int64)
    first, second = truth.copy(), truth.copy()
    second[7] = (truth[7] + 1) % 10  # disagree
    first[3] = second[3] = (truth[3] + 1) % 10  # both wrong
    first[5] = second[5] = (truth[5] + 1) % 10  # both wrong, and surer
    sure = np.where(np.arange(60) == 5, 9.0, 5.0)
    entries = [registry.find("pytorch"), registry.find("jax")]
    answers = Answers(
        entries, [said(first, sure), said(second, sure)], truth, np.arange(60)
    )
    found = groups(answers, store, store.classes)
    assert [(g.title, g.of, len(g.shown)) for g in found] == [
        ("The frameworks disagree", 1, 1),
        ("Wrong in every framework", 2, 2),
        ("Right in every framework", 57, SHOWN - 3),
    ]
    assert found[0].shown[0].name == store.name(7)
    assert [said.right for said in found[0].shown[0].sayings] == [True, False]
    assert [shown.name for shown in found[1].shown] == [store.name(5), store.name(3)]
    assert [found[2].shown[i].name for i in (0, -1)] == [store.name(0), store.name(59)]


def test_a_bad_network_still_shows_what_it_gets_right(store: Store) -> None:
    truth = np.asarray(store.labels[:200]).astype(np.int64)
    wrong = np.where(np.arange(200) < 150, (truth + 1) % 10, truth)
    answers = Answers([registry.find("jax")], [said(wrong)], truth, np.arange(200))
    found = groups(answers, store, store.classes)
    assert [(g.title, g.of, len(g.shown)) for g in found] == [
        ("Wrong", 150, 16),
        ("Right", 50, 8),
    ]
