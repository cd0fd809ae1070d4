"""A framework in a process of its own that answers one exam after the other.

Reads lines "EXAM PRECISION CASE" and answers each with a line; "roundtrip" puts the
contract's in and out to the test as well.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any, cast

import numpy as np

from triptych.frameworks import registry
from triptych.network.architecture import Architecture
from triptych.network.conventions import Precision
from triptych.network.cut import cut
from triptych.network.weights import own_weights
from triptych.running.exam import Case, answer_case


def roundtrip(framework: Any, case: Case, folder: Path, precision: Precision) -> None:
    """A training goes on as if nothing had been, after its state was taken out and put
    into a fresh network.

    Looking inside leaves the state as it was; the native file is written.
    """
    training, batch = case.trainings[0], case.batches[0]

    def fresh() -> tuple[Any, Any]:
        state = framework.build(case.architecture, case.weights, precision)
        return state, framework.make_step(state, training.optimizer)

    def take(state: Any, step: Any) -> Any:
        return step(state, batch.images, batch.labels, batch.masks, 0.01)[0]

    state, step = fresh()
    state = take(state, step)
    taken = framework.dump_weights(state)
    framework.trace(state, batch.images, True, batch.masks)
    framework.gradients(state, batch.images, batch.labels, batch.masks)
    framework.predict(state, batch.images)
    same(taken, framework.dump_weights(state))
    other, other_step = fresh()
    framework.load_weights(other, taken)
    same(taken, framework.dump_weights(other))
    same(
        framework.dump_weights(take(state, step)),
        framework.dump_weights(take(other, other_step)),
    )
    assert framework.save_native(other, folder / "native").exists()


def sections(framework: Any, case: Case, precision: Precision) -> None:
    """A head that is shown what the body outputs says what the whole network says."""
    images = case.batches[0].images

    def outputs(section: Architecture, shown: Any) -> Any:
        held = own_weights(section, case.weights)
        state = framework.build(section, held, precision)
        said = framework.predict(state, shown)
        # As many as it is asked of, in small numbers, too.
        first = framework.predict(state, shown[:1])
        np.testing.assert_allclose(first, said[:1], rtol=0, atol=1e-12)
        return said

    whole = outputs(case.architecture, images)
    assert np.ptp(whole) > 1e-3
    for trained in (1, 2, 3):
        body, head = cut(case.architecture, trained)
        passed = outputs(body, images)
        assert passed.shape == (len(images), *head.input_shape)
        np.testing.assert_allclose(outputs(head, passed), whole, rtol=0, atol=1e-12)


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Equal to the bit."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name, strict=True)


def main() -> None:
    """Answer until there are no more questions."""
    name = sys.argv[1]
    framework = registry.find(name).load()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what frameworks print is no answer
    for line in sys.stdin:
        what, exam, precision, case = line.split()
        try:
            wanted = cast(Precision, precision)
            if what == "roundtrip":
                roundtrip(
                    framework,
                    Case.read(Path(exam), case),
                    Path(exam) / name.replace(":", "-"),
                    wanted,
                )
            elif what == "sections":
                sections(framework, Case.read(Path(exam), case), wanted)
            else:
                folder = Path(exam) / registry.find(name).folder
                answer_case(
                    framework, Path(exam), case, folder, wanted, lambda event: None
                )
            answers.write("ok\n")
        except Exception:  # noqa: BLE001 - the parent reads it
            answers.write(traceback.format_exc().replace("\n", "\\n") + "\n")
    os._exit(0)


if __name__ == "__main__":
    main()
