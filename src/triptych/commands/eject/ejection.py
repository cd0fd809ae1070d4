"""`triptych eject`: from a network or a run to files of one's own."""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal, get_args

from safetensors.numpy import save

from triptych.commands.eject.program import Source, Trained
from triptych.errors import RunFolderError, UsageError, check_least, did_you_mean, quote
from triptych.files import to_toml, write_atomic, writing
from triptych.frameworks import registry
from triptych.images.built_in import BUILT_IN
from triptych.network.layers import pair
from triptych.network.layers.base import MOST_UNITS
from triptych.network.weights import check_weights, load_tensors
from triptych.network.zoo import NOTEBOOKS, ZOO, find_network
from triptych.running.folder import RunFolder
from triptych.running.plan import make_plan, read_recipe
from triptych.running.recipe import Recipe

Form = Literal["script", "notebook", "package"]
Style = Literal["native", "exact"]

STYLES: dict[Form, Style] = {
    "script": "native",
    "notebook": "native",
    "package": "exact",
}
"""What each form is written in unless one asks for the other."""

BESIDE: dict[Form, tuple[str, str]] = {
    "script": ("{name}.safetensors", "{name}.csv"),
    "notebook": ("{name}.safetensors", "{name}.csv"),
    "package": ("{name}/weights.safetensors", "{name}/split.csv"),
}
"""Where each form looks for its weights and for its images."""

KNOWN: dict[str, object] = {
    "weights": "random",
    "train": "all",
    "head_epochs": 0,
    "views": 1,
    "patience": 0,
    "minutes": 0.0,
    "schedule.warm_up": 0.0,
    "augmentation.crop": False,
    "augmentation.trivial": False,
    "augmentation.brightness": 0.0,
    "augmentation.contrast": 0.0,
    "augmentation.saturation": 0.0,
    "augmentation.hue": 0.0,
    "augmentation.erase": 0.0,
}
"""Entries of a recipe of which ejected programs know one value each; a dot leads into a
table.
"""

OWN_IMAGES = "photos"
"""Where a notebook looks for images that nobody has named."""


@dataclass(frozen=True)
class Ejected:
    """What was written."""

    path: Path
    """The script, the notebook, or the package's folder."""
    files: tuple[Path, ...]


def eject(
    network: str | Path = "sports-cnn",
    framework: str = "pytorch",
    form: Form = "script",
    *,
    style: Style | None = None,
    out: Path | str | None = None,
    recipe: Path | str | Mapping[str, object] | None = None,
    images: Path | str | None = None,
    image_size: int | None = None,
    classes: int | None = None,
) -> Ejected:
    """Write a program that trains, evaluates and predicts without Triptych.

    In the `native` style, the default except for packages, it is what a fluent user of
    the framework would write around the network; in the `exact` style it trains to the
    same losses as Triptych, to the bit.

    `network` is a name of the zoo, an architecture file, or a run, whose recipe and
    weights come along. Otherwise size, classes and recipe are those of the `images`
    that it is meant for: a folder, an archive or a built-in set, by default the one
    that has the classes of the zoo's network. `out` is the script, the notebook, or the
    package's folder; by default it is named after network and framework, in the current
    folder. What is there already is never overwritten: raises UsageError then, and for
    anything that does not fit.
    """
    if form not in get_args(Form):
        raise UsageError(
            f"there is no form {quote(form)}: {did_you_mean(form, get_args(Form))}"
        )
    style = _style(form, style)
    if classes is not None:
        classes = check_least("--classes", classes, 2, most=MOST_UNITS)
    source = _source(network, framework, recipe, images, image_size, classes)
    plain = _plain(f"{source.architecture.name}_{source.entry.folder}")
    suffix = {"script": ".py", "notebook": ".ipynb", "package": ""}[form]
    target = Path(out) if out is not None else Path(plain + suffix)
    if target.suffix != suffix:
        raise UsageError(
            f"{target}: a {form} is written to "
            f"{'a folder' if not suffix else f'*{suffix}'}"
        )
    _check_new([target])
    name = target.stem if form == "notebook" or _is_plain(target.stem) else plain
    if form != "notebook" and _is_package(name):
        raise UsageError(
            f"{target}: would shadow the package {name!r}; choose another --out"
        )
    if style == "native":
        return _save(target, _native(source, form, name, target))
    return _save(target, _exact(source, form, name, target))


def _style(form: Form, style: Style | None) -> Style:
    """The style asked for, if there is such a one of that form."""
    if style is None:
        return STYLES[form]
    if style not in get_args(Style):
        raise UsageError(
            f"there is no style {quote(style)}: {did_you_mean(style, get_args(Style))}"
        )
    if style == "native" and form == "package":
        raise UsageError(
            "a package is always exact; choose --as script for the native style"
        )
    return style


def _is_plain(name: str) -> bool:
    """Whether a package can be called so, by Python and by pip."""
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name)


def _is_package(name: str) -> bool:
    """Whether a program of that name would shadow a package: one installed, as files of
    the current folder are none.
    """
    here = Path.cwd()
    path = [one for one in sys.path if Path(one).resolve() != here]
    return (
        name in sys.modules
        or name in sys.stdlib_module_names
        or PathFinder.find_spec(name, path) is not None
    )


def _plain(name: str) -> str:
    """A name that a package can have, as near to this one as it can be."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return words if _is_plain(words) else f"network_{words}"


Contents = dict[Path, str | bytes]


def _native(source: Source, form: Form, name: str, target: Path) -> Contents:
    """A script or notebook, and beside it a run's weights for the framework, and its
    classes.
    """
    from triptych.commands.eject import native

    write = native.script if form == "script" else native.notebook
    files: Contents = {target: write(source, name)}
    if source.trained is not None:
        weights = target.with_suffix(native.suffix(source))
        files[weights] = native.weights_file(source, source.trained.weights)
        files[weights.with_suffix(".txt")] = "\n".join(source.trained.classes)
    return files


def _exact(source: Source, form: Form, name: str, target: Path) -> Contents:
    from triptych.commands.eject import exact
    from triptych.commands.eject.table import table_of

    folder = target if form == "package" else target.parent
    texts = exact.WRITERS[form](source, name)
    files: Contents = {folder / path: text for path, text in texts.items()}
    # The one file goes where it was asked for, whatever it is called.
    if form != "package":
        files = dict.fromkeys([target], *texts.values())
    beside = name if form == "package" else target.stem
    weights, split = (folder / one.format(name=beside) for one in BESIDE[form])
    files[split] = table_of(source)
    if source.trained is not None:
        metadata = {"classes": json.dumps(source.trained.classes)}
        files[weights] = save(source.trained.weights, metadata)
    return files


def _save(target: Path, files: Contents) -> Ejected:
    """Write them all, unless one is there."""
    _check_new({*files, target})
    with writing(target):
        for path, content in files.items():
            write_atomic(path, content)
    return Ejected(target, tuple(files))


def _check_new(paths: Iterable[Path]) -> None:
    """Raise UsageError if one is there, RunFolderError if none ever can be."""
    for path in paths:
        with writing(path):
            there = path.exists()
        if there:
            raise UsageError(f"{path}: already exists; choose another --out")


def _source(
    network: str | Path,
    framework: str,
    recipe: Path | str | Mapping[str, object] | None,
    images: Path | str | None,
    image_size: int | None,
    classes: int | None,
) -> Source:
    entry = registry.find(framework)
    if framework not in registry.DEFAULT:
        raise UsageError(
            f"{entry.title} cannot be ejected; "
            f"choose one of {', '.join(registry.DEFAULT)}"
        )
    if (run := RunFolder.find(str(network))) is not None:
        if any(option is not None for option in (recipe, images, image_size, classes)):
            raise UsageError(
                "a run has its own recipe, images, size and classes; "
                "leave these options out"
            )
        return _from_run(run, entry)
    tables = read_recipe(recipe)
    if not images and tables.get("images") is not None:
        images = str(tables["images"])
    if images is None:
        images = _built_in(str(network), classes)
    else:
        classes = _agreed(images, classes)
    given = {
        "network": str(network),
        "frameworks": [framework],
        "image_size": image_size,
        "images": str(images),
    }
    plan, architecture = make_plan(tables, given)
    architecture = architecture.adapted(pair(plan.image_size), classes)
    _check_ejectable(plan)
    writer = entry.writer()
    text, layouts = writer.write_network(architecture), writer.layouts(architecture)
    return Source(plan, architecture, entry, text, layouts)


def _check_ejectable(recipe: Recipe) -> None:
    """Raise UsageError, naming the entries, if programs do not know all of a recipe."""
    has: list[str] = []
    needs: list[str] = []
    for key, known in KNOWN.items():
        value: object = recipe
        for name in key.split("."):
            value = getattr(value, name, known)
        if value != known:
            has.append(f"{key} = {_written(value)}")
            needs.append(f"{key} = {_written(known)}")
    if has:
        raise UsageError(
            f"the recipe has {', '.join(has)}, but ejected programs know only "
            f"{', '.join(needs)}; eject a recipe with that"
        )


def _written(value: object) -> str:
    """A value as in a recipe file."""
    return to_toml({"": value}).partition(" = ")[2].strip()


def _built_in(network: str, classes: int | None) -> str:
    """The built-in set with the classes of a network of ours; your own network is for
    your own images.
    """
    if network in (*ZOO, *NOTEBOOKS):
        wanted = classes or find_network(network).classes
        for name, known in BUILT_IN.items():
            if len(known) == wanted:
                return name
    return OWN_IMAGES


def _agreed(images: Path | str, classes: int | None) -> int:
    """How many classes the images have; raises UsageError if not those asked for."""
    from triptych.images.source import class_names

    found = len(class_names(images))
    if classes not in (None, found):
        raise UsageError(
            f"{images} has {found} classes, not {classes}; leave --classes out"
        )
    return found


def _from_run(run: RunFolder, entry: registry.Entry) -> Source:
    """With the weights of that framework's panel, or of another: weights are canonical.

    The network's text is written anew: a run's folder may be anybody's, and so may the
    text in it.
    """
    recipe, architecture = run.recipe(), run.architecture()
    _check_ejectable(recipe)
    panels = [
        run.panel(registry.find(name))
        for name in dict.fromkeys((entry.name, *recipe.frameworks))
    ]
    trained = [panel for panel in panels if panel.weights.exists()]
    if not trained:
        raise RunFolderError(
            f"{run.path}: nothing has been trained in it yet; "
            f"resume it with: triptych resume {run.path}"
        )
    weights = load_tensors(trained[0].weights)
    check_weights(architecture, weights)
    writer = entry.writer()
    text, layouts = writer.write_network(architecture), writer.layouts(architecture)
    history = tuple(
        {
            "loss": one.loss,
            "accuracy": one.accuracy,
            "validation": one.validation_accuracy,
        }
        for one in trained[0].epochs()
    )
    known = Trained(weights, tuple(run.images().classes), history, run.parts())
    return Source(recipe, architecture, entry, text, layouts, known)
