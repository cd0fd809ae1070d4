"""certificate.html: a proof to look at."""

from __future__ import annotations

import shlex
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from triptych.equality.bounds import QUANTITIES, Rule
from triptych.equality.certificate import Certificate, Quantity, tightest
from triptych.equality.questions import NETWORK, PROBES
from triptych.files import write_atomic, writing
from triptych.frameworks import registry
from triptych.report import CERTIFICATE, words
from triptych.report.plots import Curve, Pen, Plot, drift_plot, gaps_plot, pens
from triptych.report.template import SHARED, render
from triptych.running.records import write_json

MEANINGS: dict[Rule, str] = {
    "forward": "layer outputs in evaluation",
    "forward_training": "layer outputs in training",
    "teacher_forced": "each layer teacher-forced",
    "loss": "loss",
    "activation_gradient": "gradients at layer outputs",
    "gradient": "parameter gradients",
    "step": "parameters and optimizer after a step",
    "running": "running statistics",
    "trajectory": "training, step by step",
    "shift_invariant": "biases canceled by a batch norm",
}
"""What each quantity is, for people."""


def write_page(folder: Path, certificate: Certificate) -> Path:
    """Write certificate.json and .html into `folder`; gives the page's path."""
    page = folder / CERTIFICATE
    with writing(folder):
        write_json(folder / "certificate.json", certificate)
        write_atomic(
            page, render(SHARED / "certificate.html.j2", **_gather(folder, certificate))
        )
    return page


def _gather(folder: Path, certificate: Certificate) -> dict[str, object]:
    """Every name that the template knows."""
    of = {name: registry.find(name) for name in certificate.frameworks}
    names = [
        name for name, one in certificate.frameworks.items() if one.status == "answered"
    ]
    drawn = pens(
        [
            (of[name].folder, certificate.frameworks[name].title, of[name].color)
            for name in names
        ]
    )
    rows: dict[str, dict[str, Quantity]] = {quantity: {} for quantity in QUANTITIES}
    for one in tightest(certificate):
        rows[one.quantity][of[one.framework].folder] = one
    return {
        "run_name": folder.resolve().name,
        "headline": f"{words.capitalized(certificate.sentence())}.",
        "failing": sum(not one.holds for one in certificate.quantities),
        "command": _command(folder, certificate),
        "version": version("triptych"),
        "certificate": certificate,
        "made": f"{datetime.fromisoformat(certificate.made):%Y-%m-%d %H:%M} UTC",
        "subjects": {
            of[name].folder: one for name, one in certificate.frameworks.items()
        },
        "versions": {
            of[name].folder: versions for name, versions in certificate.versions.items()
        },
        "colors": {entry.folder: entry.color for entry in of.values()},
        "pens": drawn,
        "rows": {quantity: row for quantity, row in rows.items() if row},
        "meanings": MEANINGS,
        "probes": PROBES,
        **_plots(certificate, dict(zip(names, drawn, strict=True))),
    }


def _command(folder: Path, certificate: Certificate) -> str:
    """What proves it once more; of a run, whose certificate is short, what proves it to
    the full.
    """
    if certificate.asked is None:
        return f"triptych verify {shlex.quote(str(folder))}"
    return "triptych verify --certificate certificate.json"


def _plots(certificate: Certificate, drawn: dict[str, Pen]) -> dict[str, object]:
    forward = [
        one
        for one in certificate.quantities
        if one.case == NETWORK
        and one.quantity == "forward_training"
        and one.against == "reference"
    ]
    if all(one.gap is None for one in forward):  # a logarithmic scale needs a number
        return {"gaps_plot": None, "drift_plots": _drifts(certificate, drawn)}
    curves = [
        Curve(pen, [_drawable(one.gap) for one in forward if one.framework == name])
        for name, pen in drawn.items()
    ]
    layers = list(dict.fromkeys(one.where for one in forward))
    bounds = [
        max(one.bound for one in forward if one.where == layer) for layer in layers
    ]
    return {
        "gaps_plot": gaps_plot(layers, curves, bounds),
        "drift_plots": _drifts(certificate, drawn),
    }


def _drifts(certificate: Certificate, drawn: dict[str, Pen]) -> list[Plot]:
    plots = []
    for training in dict.fromkeys(one.training for one in certificate.drift):
        own = [
            one
            for one in certificate.drift
            if one.training == training and one.framework in drawn
        ]
        curves = [
            Curve(drawn[one.framework], [_drawable(gap) for gap in one.weights])
            for one in own
        ]
        envelopes = [
            Curve(drawn[one.framework], one.envelope)
            for one in own
            if any(one.envelope)
        ]
        if any(gap is not None for one in own for gap in one.weights):
            plots.append(drift_plot(training, own[0].steps, curves, envelopes))
    return plots


def _drawable(gap: float | None) -> float:
    """A gap on a logarithmic scale, which has no 0; what is no number is left out."""
    return float("nan") if gap is None else max(gap, 1e-17)
