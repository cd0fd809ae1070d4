"""What the common loop costs over a bare loop in the same framework: sports-cnn at 64
px, batch size 32, 8 steps at a time.

The bare loop is an ejected script without its reading of images: its class `Model`,
whose `train` is the framework's own training step, called in a plain `for` over batches
that are already in memory. The common loop is the one in `triptych.running.training`,
over the batches of a store: a thread gathers, flips and shifts them and draws the
masks, the schedule is computed, progress is reported. Both learn from the same images.

Both run like a worker of Triptych: with the same threads, which sleep while they wait.

- Time: both in one process, in turn, the first turn of each not counted; the ratio of
  each turn to the bare one next to it.
- Memory: the peak memory of two processes that take the same steps. The bare one never
  imports Triptych's loop, images or network.

Budget: 180 seconds.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import (
    TITLES,
    Part,
    Row,
    Settings,
    Values,
    ask_child,
    at_most,
    attempt,
    environment,
    output_of,
    ratios,
    say,
    triptych,
)
from triptych.running.machine import peak_memory_mib

NETWORK, BATCH = "sports-cnn", 32
SIZE, QUICK_SIZE = 64, 16
STEPS, QUICK_STEPS = 8, 2
TURNS, QUICK_TURNS = 10, 1
TIME, MEMORY = 0.03, 0.15
RATE = 1e-3


def load(script: Path) -> Any:
    """An ejected script as a module."""
    spec = importlib.util.spec_from_file_location("ejected", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ejected"] = module
    spec.loader.exec_module(module)
    return module


class Bare:
    """A plain loop over batches in memory."""

    def __init__(self, order: Values) -> None:
        ejected = load(Path(order["script"]))
        self.model = ejected.Model({n: ejected.initial(n) for n in ejected.TENSORS})
        with np.load(order["batches"]) as file:
            held = dict(file)
        masks = {
            name.removeprefix("mask "): held[name]
            for name in held
            if name.startswith("mask ")
        }
        starts = range(0, len(held["labels"]), BATCH)
        parts = [slice(start, start + BATCH) for start in starts]
        self.batches = [
            (
                held["images"][part],
                held["labels"][part],
                {name: mask[part] for name, mask in masks.items()},
            )
            for part in parts
        ]

    def seconds(self) -> float:
        started = time.perf_counter()
        losses = []
        for images, labels, masks in self.batches:
            losses.append(self.model.train(images, labels, masks, RATE))
        float(losses[-1])  # waits for the device
        return time.perf_counter() - started


class Common:
    """Triptych's own loop over the batches of a store."""

    def __init__(self, order: Values) -> None:
        from triptych.frameworks import registry
        from triptych.images.store import Store
        from triptych.network.weights import initial_weights

        store = Store.open(Path(order["store"]))
        self.recipe, architecture, self.batches = plan(order, store)
        framework = registry.find(order["framework"]).load()
        self.state = framework.build(
            architecture, initial_weights(architecture, 0), self.recipe.precision
        )
        self.step = framework.make_step(self.state, self.recipe.optimizer)
        self.epoch = 0

    def seconds(self) -> float:
        from triptych.running.training import _train_epoch

        started = time.perf_counter()
        arguments = (
            self.recipe,
            self.batches,
            self.epoch,
            lambda event: None,
            list[float](),
        )
        self.state, _ = _train_epoch(self.step, self.state, *arguments)
        self.epoch += 1
        return time.perf_counter() - started


def plan(order: Values, store: Any) -> tuple[Any, Any, Any]:
    """The recipe, the network, and the first images of a store in batches."""
    from triptych.images.batches import Batches
    from triptych.network.zoo import find_network
    from triptych.running.recipe import make_recipe

    recipe = make_recipe(
        {"images": "photos", "batch_size": BATCH, "epochs": order["turns"] + 1}
    )
    architecture = find_network(NETWORK).adapted(store.size, len(store.classes))
    count = min(order["steps"] * BATCH, len(store))
    rows = np.linspace(0, len(store) - 1, count).astype(np.int64)
    labels = np.asarray(store.labels)[rows].astype(np.int64)
    batches = Batches(
        store.images,
        labels,
        rows,
        BATCH,
        0,
        augmentation=recipe.augmentation,
        dropouts=architecture.dropouts,
    )
    return recipe, architecture, batches


def in_turns(order: Values) -> Values:
    """Seconds of both, in one process; who begins changes from turn to turn."""
    loops: dict[str, Common | Bare] = {"common": Common(order), "bare": Bare(order)}
    found: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(order["turns"] + 1):
        for name in sorted(loops, reverse=turn % 2 == 1):
            seconds = loops[name].seconds()
            found[name] += [seconds] if turn else []
    return found


def memory_of_common(order: Values) -> Values:
    """The most memory of a process that runs the common loop, as often as the bare one
    runs.
    """
    return _twice(Common(order))


def memory_of_bare(order: Values) -> Values:
    """The most memory of a process that runs the bare loop."""
    return _twice(Bare(order))


def _twice(loop: Common | Bare) -> Values:
    for _ in range(2):
        loop.seconds()
    return {"peak_mib": peak_memory_mib()}


def hold(order: Values, settings: Settings) -> Values:
    """Make the store and the same images as batches in memory; the order for the
    children.
    """
    from triptych.images.source import open_images

    size = (order["size"],) * 2
    store = open_images(
        settings.images().folder, size=size, cache=settings.scratch / "overhead"
    )
    _, architecture, batches = plan(order, store)
    made = list(batches.epoch(0))
    masks = {
        f"mask {name}": np.concatenate([one.masks[name] for one in made])
        for name in architecture.dropouts
    }
    file = settings.scratch / "batches.npz"
    np.savez(
        file,
        images=np.concatenate([one.images for one in made]),
        labels=np.concatenate([one.labels for one in made]),
        **masks,  # type: ignore[arg-type]
    )
    return order | {
        "store": str(store.path),
        "batches": str(file),
        "classes": len(store.classes),
    }


def one_framework(name: str, order: Values, scratch: Path) -> Values:
    """Time, then memory."""
    from triptych.frameworks import registry
    from triptych.running import transport

    script = scratch / f"bare_{name}.py"
    eject = triptych(
        "eject", NETWORK, "--framework", name,
        "--image-size", order["size"], "--classes", order["classes"],
        "--style", "exact", "--recipe", order["recipe"], "--out", script,
    )  # fmt: skip
    output_of(eject, 120)
    order = order | {"framework": name, "script": str(script)}
    env = environment(**transport.environment(registry.find(name)))
    found = ask_child(in_turns, order, 240, env)
    for which, child in (("common", memory_of_common), ("bare", memory_of_bare)):
        found[f"{which}_mib"] = ask_child(child, order, 120, env)["peak_mib"]
    return found


def measure(settings: Settings) -> Values:
    """By framework."""
    recipe = settings.scratch / "bare.toml"
    recipe.write_text(
        f"images = {json.dumps(str(settings.images().folder))}\nbatch_size = {BATCH}\n"
    )
    quick = settings.quick
    order = hold(
        {
            "size": QUICK_SIZE if quick else SIZE,
            "steps": QUICK_STEPS if quick else STEPS,
            "turns": QUICK_TURNS if quick else TURNS,
            "recipe": str(recipe),
        },
        settings,
    )
    found = {}
    for name in settings.frameworks:
        say(f"  {TITLES[name]}")
        found[name] = attempt(one_framework, name, order, settings.scratch)
    return {"frameworks": found}


def rows(values: Values) -> list[Row]:
    """Shares that the common loop takes on top, then memory."""
    found = []
    for name, one in values["frameworks"].items():
        more = [
            ratio - 1 for ratio in ratios(one.get("common", ()), one.get("bare", ()))
        ]
        what = f"{TITLES[name]}: time over a bare loop"
        found.append(
            Row(what, more, "%", at_most(TIME), one.get("failed"), headline=True)
        )
    for name, one in values["frameworks"].items():
        both = [
            one[f"{which}_mib"] for which in ("common", "bare") if f"{which}_mib" in one
        ]
        more = [both[0] / both[1] - 1] if len(both) == 2 else []
        note = f"{both[0]:,.0f} against {both[1]:,.0f} MiB" if more else ""
        what = f"{TITLES[name]}: memory over a bare loop"
        found.append(
            Row(
                what,
                more,
                "%",
                at_most(MEMORY),
                one.get("failed"),
                headline=True,
                note=note,
            )
        )
    return found


PART = Part("overhead", "The common loop", 180, measure, rows)
