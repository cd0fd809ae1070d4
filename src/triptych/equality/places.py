"""Where the numbers of an answer stand: the order in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.equality.bounds import QUANTITIES, Name
from triptych.running.exam import LOGITS, TRAJECTORY, Answers, Case


@dataclass(frozen=True)
class Place:
    """Where a number stands: what it is, of which case, batch or step, and of which
    layer or tensor.
    """

    quantity: Name
    case: str
    where: str
    batch: int | None = None
    training: str | None = None
    step: int | None = None


def places(case: Case, answers: Answers) -> list[tuple[Place, str]]:
    """Every place of a case that is compared, with the name of its answer, causes
    before what they cause.

    By quantity as in `QUANTITIES`; forward from the first layer, gradients from the
    last; of steps the earliest first, and what the optimizer remembers before what it
    does with it.
    """
    found = [(_place(case, key), key) for key in answers]
    ranks = _ranks(case)
    quantities = {name: rank for rank, name in enumerate(QUANTITIES)}

    def rank(item: tuple[Place, str]) -> tuple[int, ...]:
        place, _ = item
        slot = place.where.startswith("optimizer.")
        number = ranks.get(
            place.where.split(".", 2)[-1] if slot else place.where, len(ranks)
        )
        backwards = place.quantity in ("gradient", "activation_gradient")
        return (
            quantities[place.quantity],
            place.step or 0,
            not slot,
            -number if backwards else number,
        )

    return sorted(((place, key) for place, key in found if place is not None), key=rank)


def _ranks(case: Case) -> dict[str, int]:
    """The order of layers, each before its tensors."""
    tensors = case.architecture.tensors
    order = []
    for layer in case.architecture.shapes:
        order.append(layer)
        order += [name for name in tensors if name.rpartition(".")[0] == layer]
    return {name: rank for rank, name in enumerate([*order, LOGITS])}


def _place(case: Case, key: str) -> Place | None:
    """Where an answer of this name stands; None for what is not compared."""
    head, _, rest = key.partition("/")
    number, _, where = rest.partition("/")
    for name in QUANTITIES:
        if head == name:
            return Place(name, case.name, where, batch=int(number))
    if (number, where) == ("0", LOGITS):
        return Place("forward", case.name, LOGITS, training=head)
    if "/" in where:
        return None
    quantity: Name = "running" if where in case.architecture.statistics else "step"
    if where == "loss" or (head.startswith(TRAJECTORY) and number != "1"):
        quantity = "trajectory"
    return Place(quantity, case.name, where, training=head, step=int(number))
