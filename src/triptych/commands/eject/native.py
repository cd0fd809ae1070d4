"""The native style: what a fluent user of a framework writes around the network that
ran.

The network's text is the emitted one. What holds it to the conventions, and has a
common counterpart in the framework, makes room for that: masks of dropout that are the
same everywhere, Keras' own batch norm.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save, save_file

from triptych.commands.eject.form import tidy
from triptych.commands.eject.forms import (
    facts,
    notebook_facts,
    notebook_of,
    requirements,
)
from triptych.commands.eject.program import Source, fill, literal, split_network
from triptych.errors import WorkerFailed
from triptych.frameworks.emit import cut
from triptych.images.augment import Augmentation
from triptych.network.architecture import Architecture
from triptych.network.layouts import Array, to_native
from triptych.network.weights import Distribution, Weights, initial_distributions


@dataclass(frozen=True)
class Dialect:
    """How a framework says what the conventions say in words of their own."""

    suffix: str = ".safetensors"
    """Of its file of weights."""
    left_out: tuple[str, ...] = ()
    """Definitions that are not needed."""
    plain: tuple[tuple[str, str], ...] = ()
    """Patterns in the network's text, and what takes their place."""


_MASKED = r'(?<![\w.])dropout\(\s*(\w+),\s*([^,]+),\s*masks,\s*"[^"]*",?\s*\)'
_LEFT_OUT = _MASKED.replace("dropout", "stochastic_depth")
_MASKS = (r",\s*masks: dict\[str, [\w.]+\] \| None = None", "")

DIALECTS = {
    "keras": Dialect(
        ".weights.h5",
        (
            *("channel_sums", "normalize", "BatchNormalization"),
            *("Dropout", "StochasticDepth", "GELU", "LeakyReLU"),
        ),
        (
            (r"(?<![\w.])(BatchNormalization|Dropout)\(", r"layers.\1("),
            (r"(?<![\w.])GELU\(", 'layers.Activation("gelu", '),
            (r"(?<![\w.])LeakyReLU\(", "layers.LeakyReLU("),
            (
                r"(?<![\w.])StochasticDepth\(([^,]+), ",
                r"layers.Dropout(\1, noise_shape=(None, 1, 1, 1), ",
            ),
            (r" +\w+ = keras\.Input\([^=]*dtype=[^)]*optional=True,?\s*\)\n", ""),
            (
                r"(layers\.Dropout\((?:[^()]|\([^()]*\))*\)\(\s*\w+),\s*\w+,?\s*\)",
                r"\1)",
            ),
            (r"keras\.Model\(\s*\[\s*(\w+),[^\]]*\],\s*", r"keras.Model(\1, "),
        ),
    ),
    "tensorflow": Dialect(
        left_out=("dropout", "stochastic_depth"),
        plain=(
            (_MASKED, r"tf.nn.dropout(\1, \2) if training else \1"),
            (
                _LEFT_OUT,
                r"tf.nn.dropout(\1, \2, (tf.shape(\1)[0], 1, 1, 1))"
                r" if training else \1",
            ),
            _MASKS,
        ),
    ),
    "pytorch": Dialect(
        left_out=("dropout", "stochastic_depth"),
        plain=(
            (_MASKED, r"F.dropout(\1, \2, self.training)"),
            (
                _LEFT_OUT,
                r"\1 * F.dropout(\1.new_ones(len(\1), 1, 1, 1), \2, self.training)",
            ),
            _MASKS,
        ),
    ),
    "jax": Dialect(),
}
"""By the framework's module."""


def script(source: Source, name: str) -> str:
    """One file that trains, evaluates and predicts."""
    weights = f'Path(__file__).with_suffix("{suffix(source)}")'
    text = fill("native/script.py.j2", **_facts(source, name, weights))
    return tidy(re.sub(r"^# %%\n", "", text, flags=re.MULTILINE))


def notebook(source: Source, name: str) -> str:
    """The same in cells, with what there is to say and to see."""
    history = (
        {
            "loss": [one["loss"] for one in source.trained.history],
            "val_accuracy": [one["validation"] for one in source.trained.history],
        }
        if source.trained
        else {}
    )
    given = _facts(source, name, f"Path({literal(name + suffix(source))})")
    given |= notebook_facts(source)
    text = fill("native/notebook.py.j2", **given, history=history)
    return notebook_of(tidy(text))


def suffix(source: Source) -> str:
    """Of the file of weights that the framework's own way of loading takes."""
    return DIALECTS[source.entry.module].suffix


def _facts(source: Source, name: str, weights: str) -> dict[str, object]:
    """What the templates are filled with; `weights` is an expression for a path."""
    recipe, architecture = source.recipe, source.architecture
    height, width, _ = architecture.input_shape
    moved = recipe.augmentation
    shift = (int(height * moved.shift), int(width * moved.shift)) if moved else (0, 0)
    imports, network = network_text(source)
    half = (
        "jax.tree.map("
        "lambda w: w.astype(jnp.bfloat16) if w.ndim in (2, 4) else w, weights)"
    )
    return facts(source, name) | {
        "needs": _needs(source),
        "network_imports": imports,
        "network": network,
        "weights": weights,
        "augmentation": moved if moved and (moved.flip or any(shift)) else None,
        "shift": shift,
        "moves": any(shift),
        "changes": _changes(moved, any(shift)),
        "variance": tuple(one**2 for one in architecture.std),
        "initial": _initial(architecture),
        "half": half if recipe.precision == "bfloat16" else "weights",
    }


def _needs(source: Source) -> list[str]:
    own = suffix(source) != ".safetensors"
    return [
        one
        for one in requirements(source)
        if not (own and one.startswith("safetensors"))
    ]


def _changes(augmentation: Augmentation | None, moves: bool) -> str:
    words = ["shifted"] * moves + ["flipped"] * bool(augmentation and augmentation.flip)
    return " and ".join(words) + " at random" if words else ""


def network_text(source: Source) -> tuple[str, str]:
    """The imports of the network's text, and its rest, in its framework's dialect."""
    dialect = DIALECTS[source.entry.module]
    imports, network = split_network(source)
    kept = [
        cut(network, statement)
        for statement in ast.parse(network).body
        if getattr(statement, "name", None) not in dialect.left_out
    ]
    network = "\n\n".join(kept)
    for pattern, plain in dialect.plain:
        network = re.sub(pattern, plain, network)
    return imports, network


def _initial(architecture: Architecture) -> dict[str, str]:
    """How each tensor begins, in JAX, which has no layers that know."""
    return {
        name: _drawn(how) for name, how in initial_distributions(architecture).items()
    }


def _drawn(how: Distribution) -> str:
    shape = how.shape if len(how.shape) > 1 else how.shape[0]
    if how.law == "normal":
        return f"{how.size:.6g} * jax.random.normal(next(keys), {shape})"
    if how.law == "uniform":
        return (
            f"jax.random.uniform(next(keys), {shape}, "
            f"minval={-how.size:.6g}, maxval={how.size:.6g})"
        )
    if how.law == "orthogonal":
        units, parts = how.shape[0], how.shape[1] // how.shape[0]
        return (
            f"jnp.hstack([jax.random.orthogonal(k, {units}) "
            f"for k in jax.random.split(next(keys), {parts})])"
        )
    values = tuple(how.size * part for part in how.parts)
    if len(set(values)) > 1:
        return f"jnp.repeat(jnp.array({values}), {how.shape[-1] // len(values)})"
    return f"jnp.{'ones' if values[0] == 1 else 'zeros'}({shape})"


def tensors_of(source: Source, weights: Weights) -> dict[str, Array]:
    """A run's weights by the framework's names, in its layouts."""
    found: dict[str, Array] = {}
    for name, layout in source.layouts.items():
        held = found.get(layout.name)
        if layout.row is not None and held is None:
            held = np.zeros((2, *weights[name].shape), weights[name].dtype)
        found[layout.name] = to_native(weights[name], layout, held)
    # PyTorch has two where one is enough.
    for name in [one for one in found if one.endswith("bias_ih_l0")]:
        found.setdefault(name.replace("bias_ih", "bias_hh"), np.zeros_like(found[name]))
    return found


def weights_file(source: Source, weights: Weights) -> bytes:
    """The content of the file beside the program."""
    tensors = tensors_of(source, weights)
    if suffix(source) == ".safetensors":
        return bytes(save(tensors))
    with tempfile.TemporaryDirectory(prefix="triptych-") as scratch:
        return _keras_file(source, tensors, Path(scratch))


_KERAS = """
import runpy, sys
from operator import attrgetter
from safetensors.numpy import load_file
model = runpy.run_path("program.py")["classifier"]()
(network,) = [layer for layer in model.layers if hasattr(layer, "get_layer")]
for name, tensor in load_file("weights.safetensors").items():
    layer, _, rest = name.partition(".")
    attrgetter(rest)(network.get_layer(layer)).assign(tensor)
model.save_weights("program.weights.h5")
"""
"""Keras alone knows how its file is laid out; the program knows its classifier."""


def _keras_file(source: Source, tensors: Mapping[str, Array], scratch: Path) -> bytes:
    from triptych.running.transport import environment  # only Keras' file needs it

    (scratch / "program.py").write_text(script(source, "program"), "utf-8")
    save_file(dict(tensors), scratch / "weights.safetensors")
    done = subprocess.run(
        [sys.executable, "-P", "-c", _KERAS],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        env=environment(source.entry),
    )
    if done.returncode:
        raise WorkerFailed(
            f"{source.title} could not write the weights: {done.stderr[-2000:]}"
        )
    return (scratch / "program.weights.h5").read_bytes()
