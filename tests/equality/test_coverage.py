"""What the probes reach: every piece of every operation, every line of a step, every
value of every option.

What no probe reaches could be changed in a framework, and every proof would still hold.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from types import CodeType, FrameType, ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from triptych.equality.questions import probe_cases, schedules
from triptych.frameworks import (
    operations,
    recurrence,
    reference,
    tensors,
    windows,
)
from triptych.frameworks.contract import Optimizer
from triptych.frameworks.tensors import Reached
from triptych.network.layers import VOCABULARY, Layer
from triptych.running.exam import Case, answer
from triptych.running.schedule import Schedule

SEEDS = range(6)

DRAWN = {"initial", "bias_initial"}
"""Fields of layers that say how weights begin: a framework is given weights."""

USED: dict[str, set[str]] = {
    "sgd": {"momentum"},
    "nesterov": {"momentum"},
    "adam": {"beta1", "beta2", "epsilon"},
    "adamw": {"beta1", "beta2", "epsilon"},
    "rmsprop": {"rho", "epsilon"},
}
"""What each optimizer takes besides weight decay and label smoothing."""


def pieces(cases: Iterable[Case]) -> dict[str, Reached]:
    """Every piece that the operations of these cases name, and whether any case reaches
    it.
    """
    found: dict[str, Reached] = {}
    for case in cases:
        state = reference.build(case.architecture, case.weights, "float64")
        for number in case.looked_at:
            batch = case.batches[number]
            for name, one in reference.pieces(
                state, batch.images, batch.labels, batch.masks
            ).items():
                before = found.get(name, Reached())
                found[name] = Reached(
                    before.forward or one.forward, before.backward or one.backward
                )
    return found


def missed(cases: Iterable[Case]) -> set[str]:
    return {
        name
        for name, one in pieces(cases).items()
        if not (one.forward and one.backward)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_every_piece_is_reached_forward_and_backward(seed: int) -> None:
    assert missed(probe_cases("float64", seed)) == set()


@pytest.mark.parametrize(
    ("probe", "lost"),
    [
        ("wide",
         {"relu6: at 6", "relu6: from 6 to inf", "sigmoid: far below",
          "hard_swish: at -3", "leaky_relu: at 0",
          "lstm: f at its upper end", "cross_entropy: sure and wrong",
          "max_pool: equals"}),
        ("odd", {"average_pool: whole window", "dropout: dropped"}),
    ],
)  # fmt: skip
def test_without_its_probe_a_piece_is_missed(probe: str, lost: set[str]) -> None:
    """A piece that is not reached is noticed: forward, and backward where the loss
    wants nothing of it.
    """
    cases = [
        case
        for case in probe_cases("float64", 0)
        if case.name not in {probe, "even", "rows", "modern", "tokens"}
    ]
    missing = missed(cases) | (
        pieces(probe_cases("float64", 0)).keys() - pieces(cases).keys()
    )
    assert lost <= missing


def test_a_piece_that_the_loss_wants_nothing_of_is_missed() -> None:
    x = tensors.Tensor(np.array([-1.0, 2.0, 9.0]))
    y = operations.relu6(x)
    tensors.backward(y, np.array([1.0, 1.0, 0.0]))
    found = tensors.reached(y)
    assert found["relu6: from 0 to 6"] == (True, True)
    assert found["relu6: from 6 to inf"] == (True, False)
    assert found["relu6: at 6"] == (False, False)


# ---- lines ---------------------------------------------------------------------------


def lines_of(code: CodeType) -> set[tuple[str, int]]:
    """The lines of a piece of code, and of what it defines, that can be executed."""
    own = {
        (code.co_filename, line)
        for _, _, line in code.co_lines()
        if line and line != code.co_firstlineno
    }
    return own.union(
        *(lines_of(one) for one in code.co_consts if isinstance(one, CodeType))
    )


def functions(where: ModuleType | type) -> Iterator[Callable[..., Any]]:
    for one in vars(where).values():
        if inspect.isfunction(
            one
        ) and one.__code__.co_filename == inspect.getsourcefile(where):
            yield one


def executed(work: Callable[[], object]) -> set[tuple[str, int]]:
    """The lines that are executed while `work` is done."""
    seen: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return seen


def ask_all(cases: Iterable[Case]) -> None:
    """What `triptych verify` asks of the reference, by the schedules of its rates."""
    for case in cases:
        answer(reference, case, "float64", {})
        reference.load_weights(
            reference.build(case.architecture, case.weights, "float64"), {}
        )
    for schedule in schedules(0.1):
        for step in range(3):
            schedule.at(step, 3)


WATCHED: list[Callable[..., Any]] = [
    *functions(operations), *functions(recurrence), *functions(windows),
    reference.make_step, reference.update,
    reference.gradients_near, reference.load_weights, reference.dump_weights,
    Schedule.at,
]  # fmt: skip


def test_every_line_of_operations_step_and_schedule_is_executed() -> None:
    wanted = set().union(*(lines_of(one.__code__) for one in WATCHED))
    wanted -= set().union(*(pieces_lines(one) for one in WATCHED))
    left = wanted - executed(lambda: ask_all(probe_cases("float64", 0)))
    assert sorted(left) == []


def pieces_lines(function: Callable[..., Any]) -> set[tuple[str, int]]:
    """The lines that name a function's pieces, which no proof asks for."""
    inner = [one for one in function.__code__.co_consts if isinstance(one, CodeType)]
    return set().union(*(lines_of(one) for one in inner if one.co_name == "pieces"))


def test_a_line_that_no_probe_executes_is_missed() -> None:
    wanted = lines_of(reference.update.__code__)
    cases = [
        dataclasses.replace(case, trainings=case.trainings[:1])
        for case in probe_cases("float64", 0)
    ]
    assert wanted - executed(lambda: ask_all(cases))


# ---- options -------------------------------------------------------------------------


def asked_layers() -> list[Layer]:
    return [
        node.layer
        for case in probe_cases("float64", 0)
        for node in case.architecture.nodes
    ]


def asked_optimizers() -> list[Optimizer]:
    return [
        one.optimizer for case in probe_cases("float64", 0) for one in case.trainings
    ]


@pytest.mark.parametrize("kind", VOCABULARY)
def test_every_option_of_a_layer_takes_two_values(kind: str) -> None:
    """All values, where there are but a few: a framework that knew one of them only
    would be seen.
    """
    layers = [layer for layer in asked_layers() if layer.kind == kind]
    assert layers
    hints = get_type_hints(VOCABULARY[kind])
    for field in dataclasses.fields(VOCABULARY[kind]):
        if field.name in DRAWN:
            continue
        values = {getattr(layer, field.name) for layer in layers}
        choices = (
            set(get_args(hints[field.name]))
            if get_origin(hints[field.name]) is not None
            else set()
        )
        few = {value for value in choices if isinstance(value, str)}
        assert len(values) >= 2, f"{kind}: {field.name} is {values} only"
        assert few <= values, f"{kind}: {field.name} is never {few - values}"


@pytest.mark.parametrize("name", USED)
def test_every_option_of_an_optimizer_is_used(name: str) -> None:
    """With another number than its default: who takes no notice of it is seen."""
    optimizers = [one for one in asked_optimizers() if one.name == name]
    # Adam and AdamW are one rule.
    alike = [one for one in asked_optimizers() if USED[one.name] == USED[name]]
    for field in dataclasses.fields(Optimizer):
        if field.name in USED[name]:
            asked = {getattr(one, field.name) for one in alike}
            assert asked - {field.default}, field.name
    assert any(one.weight_decay and one.label_smoothing for one in optimizers)


def test_no_option_of_an_optimizer_is_forgotten() -> None:
    known = {"name", "weight_decay", "label_smoothing"}.union(*USED.values())
    assert {field.name for field in dataclasses.fields(Optimizer)} == known
    assert any(
        not one.weight_decay and not one.label_smoothing for one in asked_optimizers()
    )


def test_every_training_of_an_optimizer_is_resumed() -> None:
    trainings = [one for case in probe_cases("float64", 0) for one in case.trainings]
    assert trainings
    assert all(0 < one.resumed < len(one.rates) for one in trainings)
    assert all(set(range(1, len(one.rates) + 1)) == set(one.kept) for one in trainings)


def test_images_are_asked_as_they_are_and_normalized() -> None:
    whole = {(any(one.mean), set(one.std) != {1.0}) for one in networks()}
    assert {(False, False), (True, True)} <= whole


def networks() -> list[Any]:
    return [case.architecture for case in probe_cases("float64", 0)]


def test_a_short_batch_follows_a_longer_one() -> None:
    sizes = [
        [len(batch.labels) for batch in case.batches]
        for case in probe_cases("float64", 0)
    ]
    assert any(after < before for one in sizes for before, after in pairwise(one))
