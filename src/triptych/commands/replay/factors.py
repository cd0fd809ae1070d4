"""Recipes and networks taken apart into factors that can be changed one at a time.

A factor is what people name when they say how two trainings differ: initial values,
optimizer, input range. Which factors differ between two recipes is found here by
comparing them; nothing is known of any in advance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from triptych.errors import RecipeError
from triptych.network.architecture import Architecture, sequence
from triptych.network.layers import (
    BatchNorm,
    Bias,
    BiasInitial,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Initial,
    Layer,
    Shape,
)
from triptych.running.recipe import Recipe


@dataclass(frozen=True)
class Gap:
    """What stands behind a layer of the trunk, and whether that has its own bias."""

    bias: bool
    norms: tuple[Layer, ...] = ()
    """Batch norms without their share of running values, biases without their law."""
    dropouts: tuple[Dropout, ...] = ()


@dataclass(frozen=True)
class Setup:
    """What is trained: a recipe, and its network, a chain of layers, in parts."""

    recipe: Recipe
    input_shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    trunk: tuple[Layer, ...]
    """The layers that compute, without initial values; what is normalized or dropped
    between is in `gaps`.
    """
    laws: tuple[tuple[Initial, BiasInitial], ...]
    """The laws of kernel and bias of each layer of the trunk that has a kernel."""
    gaps: tuple[Gap, ...]
    """What stands before the trunk and behind each of its layers."""
    kept: float | None
    """The share of the running values that every batch norm keeps; None without any."""

    @classmethod
    def of(cls, name: str, recipe: Recipe, network: Architecture) -> Setup:
        """Take a network apart; raises RecipeError, naming the recipe `name`, if it is
        no chain.
        """
        above = ["images", *(node.name for node in network.nodes)]
        chain = zip(network.nodes, above, strict=False)
        if any(node.inputs != (before,) for node, before in chain):
            raise RecipeError(
                f"{name}: its network has branches; replay needs a chain of layers"
            )
        apart = _Apart()
        for node in network.nodes:
            apart.add(node.layer)
        if len(apart.kept) > 1:
            raise RecipeError(
                f"{name}: its batch norms keep different shares of their running values"
            )
        return cls(
            recipe,
            network.input_shape,
            network.mean,
            network.std,
            tuple(apart.trunk),
            tuple(apart.laws),
            tuple(apart.gaps),
            apart.kept.pop() if apart.kept else None,
        )

    @property
    def network(self) -> Architecture:
        """The parts put together again."""
        layers: list[Layer] = []
        laws = iter(self.laws)
        biased: BiasInitial = "zeros"
        for layer, gap in zip((None, *self.trunk), self.gaps, strict=True):
            if isinstance(layer, Conv | DepthwiseConv | Dense):
                initial, biased = next(laws)
                own = biased if gap.bias else "zeros"
                layers.append(
                    dataclasses.replace(
                        layer, initial=initial, bias_initial=own, bias=gap.bias
                    )
                )
            elif layer is not None:
                layers.append(layer)
            for norm in gap.norms:
                if isinstance(norm, BatchNorm) and self.kept is not None:
                    layers.append(dataclasses.replace(norm, momentum=self.kept))
                else:
                    layers.append(Bias(biased))
            layers += gap.dropouts
        made = sequence("replay", self.input_shape, layers)
        return dataclasses.replace(made, mean=self.mean, std=self.std)

    def parts(self, of: str) -> tuple[object, ...]:
        """One field of every gap."""
        if of == "norms":
            return tuple((gap.bias, gap.norms) for gap in self.gaps)
        return tuple(gap.dropouts for gap in self.gaps)


@dataclass
class _Apart:
    """A chain of layers that is being taken apart, layer by layer."""

    trunk: list[Layer] = field(default_factory=list)
    laws: list[tuple[Initial, BiasInitial]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=lambda: [Gap(False)])
    kept: set[float] = field(default_factory=set)

    def add(self, layer: Layer) -> None:
        """The next layer."""
        gap = self.gaps[-1]
        match layer:
            case BatchNorm():
                self.kept.add(layer.momentum)
                norm = dataclasses.replace(layer, momentum=BatchNorm.momentum)
                self.gaps[-1] = _behind(gap, norm)
            case Bias():
                self.gaps[-1] = _behind(gap, Bias())
                if self.laws:
                    self.laws[-1] = self.laws[-1][0], layer.bias_initial
            case Dropout():
                dropouts = (*gap.dropouts, layer)
                self.gaps[-1] = dataclasses.replace(gap, dropouts=dropouts)
            case Conv() | DepthwiseConv() | Dense():
                self.laws.append((layer.initial, layer.bias_initial))
                self.gaps.append(Gap(layer.bias))
                usual = dataclasses.replace(
                    layer, initial="auto", bias_initial="zeros", bias=True
                )
                self.trunk.append(usual)
            case _:
                self.gaps.append(Gap(False))
                self.trunk.append(layer)


def _behind(gap: Gap, norm: Layer) -> Gap:
    return dataclasses.replace(gap, norms=(*gap.norms, norm))


@dataclass(frozen=True)
class Factor:
    """Something that two trainings can differ in."""

    name: str
    of: Callable[[Setup], object]
    """What it is in a training, to be compared; None where there is no such factor."""
    take: Callable[[Setup, Setup], Setup]
    """The first training, with this factor from the second."""
    words: Callable[[Setup], str]
    """What it is, for people."""


def differences(one: Setup, other: Setup) -> list[Factor]:
    """The factors in which two trainings differ, in the order of FACTORS.

    Raises RecipeError if their networks differ in more than factors: in the layers that
    compute.
    """
    if (one.trunk, one.input_shape) != (other.trunk, other.input_shape):
        raise RecipeError(
            "the recipes' networks differ in the layers that compute, "
            "not only in how they are used; replay compares ways to train one network"
        )
    return [factor for factor in FACTORS if differs(factor, one, other)]


def differs(factor: Factor, one: Setup, other: Setup) -> bool:
    """Whether both have such a factor, and not the same."""
    first, second = factor.of(one), factor.of(other)
    return first is not None and second is not None and first != second


def _of_recipe(name: str, *fields: str) -> Factor:
    """A factor that is some fields of the recipe."""

    def of(subject: Setup) -> tuple[object, ...]:
        return tuple(getattr(subject.recipe, field) for field in fields)

    def take(subject: Setup, giver: Setup) -> Setup:
        taken = {field: getattr(giver.recipe, field) for field in fields}
        return dataclasses.replace(
            subject, recipe=dataclasses.replace(subject.recipe, **taken)
        )

    return Factor(
        name,
        of,
        take,
        lambda subject: ", ".join(
            "none" if one is None else str(one) for one in of(subject)
        ),
    )


def _take(*fields: str) -> Callable[[Setup, Setup], Setup]:
    """Take some fields of the network's parts."""
    return lambda subject, giver: dataclasses.replace(
        subject, **{field: getattr(giver, field) for field in fields}
    )


def _take_norms(subject: Setup, giver: Setup) -> Setup:
    """The giver's batch norms; their share of running values comes along where there
    was none before.
    """
    gaps = tuple(
        dataclasses.replace(gap, dropouts=own.dropouts)
        for own, gap in zip(subject.gaps, giver.gaps, strict=True)
    )
    return dataclasses.replace(
        subject,
        gaps=gaps,
        kept=subject.kept if subject.kept is not None else giver.kept,
    )


def _take_dropout(subject: Setup, giver: Setup) -> Setup:
    gaps = tuple(
        dataclasses.replace(own, dropouts=gap.dropouts)
        for own, gap in zip(subject.gaps, giver.gaps, strict=True)
    )
    return dataclasses.replace(subject, gaps=gaps)


_LAWS = {
    "normal": "N(0, 1)",
    "zeros": "0",
    "fan_in_uniform": "U(±1/√n)",
    "auto": "He or Glorot",
}


def _laws(subject: Setup) -> str:
    kernels, biases = (
        " and ".join(
            dict.fromkeys(_LAWS.get(law, law.replace("_", " ")) for law in laws)
        )
        for laws in zip(*subject.laws, strict=True)
    )
    return f"all {kernels}" if kernels == biases else f"{kernels}, biases {biases}"


def _norms(subject: Setup) -> str:
    """How many batch norms there are, and where a bias comes after one."""
    every = [layer for gap in subject.gaps for layer in gap.norms]
    count = sum(isinstance(layer, BatchNorm) for layer in every)
    biased = any(isinstance(layer, Bias) for layer in every)
    return f"{count or 'none'}{', then the bias' * biased}"


def _range(subject: Setup) -> str:
    ends = {
        (-mean / std, (1 - mean) / std)
        for mean, std in zip(subject.mean, subject.std, strict=True)
    }
    return " and ".join(
        f"{low:g} to {high:g}"
        for low, high in sorted((low + 0.0, high) for low, high in ends)
    )


def _dropout(subject: Setup) -> str:
    return (
        ", ".join(f"{layer.rate:g}" for gap in subject.gaps for layer in gap.dropouts)
        or "none"
    )


def _resize(subject: Setup) -> str:
    recipe = subject.recipe
    return recipe.resize if recipe.fit == "squash" else f"{recipe.resize}, {recipe.fit}"


def _optimizer(subject: Setup) -> str:
    schedule = subject.recipe.schedule
    over_time = "" if schedule.name == "constant" else f", {schedule.name}"
    over_time += f", warm-up {schedule.warm_up:g}" * bool(schedule.warm_up)
    over_time += f" {schedule.decay:g}" * bool(schedule.decay)
    return f"{subject.recipe.optimizer.name} {schedule.learning_rate:g}{over_time}"


_GROUPED = ("fit", "resize", "optimizer", "schedule", "batch_size", "epochs")
_GIVEN = ("images", "network", "frameworks", "seed", "strict", "full")
"""What `replay` decides itself, for all trainings alike."""

FACTORS: tuple[Factor, ...] = (
    Factor("initial values", lambda s: s.laws, _take("laws"), _laws),
    Factor(
        "running averages",
        lambda s: s.kept,
        _take("kept"),
        lambda s: (
            "none"
            if s.kept is None
            else "never updated"
            if s.kept == 1
            else f"{s.kept:g} kept"
        ),
    ),
    Factor("batch norm", lambda s: s.parts("norms"), _take_norms, _norms),
    Factor("input range", lambda s: (s.mean, s.std), _take("mean", "std"), _range),
    dataclasses.replace(_of_recipe("resize", "fit", "resize"), words=_resize),
    dataclasses.replace(
        _of_recipe("optimizer", "optimizer", "schedule"), words=_optimizer
    ),
    _of_recipe("batch size", "batch_size"),
    Factor("dropout", lambda s: s.parts("dropouts"), _take_dropout, _dropout),
    _of_recipe("epochs", "epochs"),
    *(
        _of_recipe(field.name, field.name)
        for field in dataclasses.fields(Recipe)
        if field.name not in (*_GROUPED, *_GIVEN)
    ),
)
"""Everything that recipes and chains of layers can differ in, in the order in which a
ablation changes them.
"""

INITIAL_VALUES, RUNNING_AVERAGES = FACTORS[:2]
