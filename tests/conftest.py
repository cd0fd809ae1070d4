"""No test touches the user's cache; the command line is tried as users run it, in a
process of its own.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

# Before NumPy is loaded: the reference's products share two cores with other tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Without a deadline: a busy machine is no fault.
settings.register_profile("triptych", deadline=None, derandomize=True)
settings.load_profile("triptych")

COMMAND = Path(sys.executable).with_name("triptych")


SLOWEST = (
    "test_readme",
    "test_lessons",
    "test_ejecting",
    "test_native",
    "test_verify",
    "test_interruption",
    "test_compare",
)

FRAMEWORK = (
    "tests/commands/bench/",
    "tests/commands/eject/",
    "tests/equality/test_frameworks.py",
    "tests/equality/test_names.py",
    "tests/equality/test_random_networks.py",
    "tests/equality/test_sections.py",
    "tests/equality/test_verify.py",
    "tests/frameworks/test_names.py::test_a_writer",
    "tests/frameworks/test_twins.py::test_another_version",
    "tests/kills/",
    "tests/mutants/",
    "tests/network/pretrained/test_theirs.py",
    "tests/notebooks/test_case_study.py",
    "tests/notebooks/test_lessons.py",
    "tests/commands/predict/",
    "tests/report/",
    "tests/running/test_augmented.py",
    "tests/running/test_features.py",
    "tests/running/test_interruption.py",
    "tests/running/test_plan.py",
    "tests/running/test_schedule.py",
    "tests/test_benchmarks.py",
    "tests/test_compare.py",
    "tests/test_python.py",
    "tests/test_readme.py",
    "tests/test_replay.py",
    "tests/test_security.py",
)
"""Tests that start a framework, by how their names begin: not in `make quick`."""

LONG = (
    "tests/equality/test_judgement.py::test_a_bias_that_batch_norm_takes_away",
    "tests/network/test_architecture.py::test_every_layer_gives_its_shape",
    "tests/network/test_architecture.py::test_the_drawn_networks_hold_every_kind",
    "tests/network/test_architecture.py::test_toml_round_trip",
    "tests/test_strange_names.py::test_a_strangers_certificate_is_refused",
    "tests/test_strange_names.py::test_what_is_wrong_with_a_file_of_any_name",
    "tests/images/test_sports.py::test_many_keys_give_no_image_twice",
    "tests/images/test_sports.py::test_the_bound_would_notice_places_tied_to_sports",
    "tests/images/test_sports.py::test_the_place_does_not_give_the_sport_away",
    "tests/images/test_store.py::test_memory_stays_flat",
    "tests/running/test_balance.py::test_uneven_classes",
    "tests/running/test_few_images.py",
    "tests/running/test_stopping.py::test_a_killed_run",
    "tests/running/test_stopping.py::test_a_budget_counts",
    "tests/test_files.py::test_a_kill_at_any",
)
"""Tests that take seconds without one: `make quick` leaves them out, too."""

EXTRA = (
    "tests/installing/",
    "tests/notebooks/test_case_study.py::test_exact_notebooks_find_the_same",
    "tests/notebooks/test_case_study.py::test_the_notebook_of_a_network_of_the_zoo",
    "tests/notebooks/test_lessons.py::test_a_lesson_runs_and_its_exercises_can_be_solved",
    "tests/test_readme.py",
    "tests/test_site.py",
    # Here PyTorch stands for all four, or float32 for other precisions.
    "tests/commands/eject/test_ejecting.py::test_a_program_trains_as_the_library_does[jax]",
    "tests/commands/eject/test_ejecting.py::test_a_program_trains_as_the_library_does[keras]",
    "tests/commands/eject/test_ejecting.py::test_programs_pass_linter_formatter_and_types[mypy",
    "tests/commands/eject/test_native.py::test_a_schedule_that_the_framework_lacks",
    "tests/commands/eject/test_native.py::test_a_script_learns_by_any_recipe[jax]",
    "tests/commands/eject/test_native.py::test_a_script_learns_by_any_recipe[keras]",
    "tests/commands/eject/test_native.py::test_a_script_predicts_what_its_run_predicts[keras]",
    "tests/commands/eject/test_native.py::test_scripts_pass_linter_formatter_and_types[mypy",
    "tests/equality/test_frameworks.py::test_other_backends",
    "tests/equality/test_names.py::test_names_that_would_meet_in_a_source[attributes",
    "tests/equality/test_random_networks.py",
    "tests/equality/test_verify.py::test_every_layer_in_bfloat16",
    "tests/equality/test_verify.py::test_real_images_a_run_and_bfloat16",
    "tests/frameworks/test_twins.py::test_another_version_of_keras",
    "tests/mutants/test_mutants.py::test_honest_first_steps",
    "tests/network/pretrained/test_theirs.py::test_the_same_logits[jax",
    "tests/network/pretrained/test_theirs.py::test_the_same_logits[keras",
    "tests/network/pretrained/test_theirs.py::test_the_same_logits[tensorflow",
    "tests/running/test_interruption.py::test_a_killed_run_resumes_to_the_same_bits[jax]",
    "tests/running/test_interruption.py::test_a_killed_run_resumes_to_the_same_bits[keras]",
    "tests/running/test_interruption.py::test_a_killed_run_resumes_to_the_same_bits[tensorflow]",
)
"""Tests that install, build, execute notebooks, or compile for minutes: `make test-all`
has them, `make test` does not.
"""


def pytest_configure(config: pytest.Config) -> None:
    """A quick run holds its tests to it: one that imports a framework fails."""
    if "not slow" in config.option.markexpr:
        guard = Path(__file__).parent / "quick"
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(guard), os.environ.get("PYTHONPATH")])
        )
        runpy.run_path(str(guard / "sitecustomize.py"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is left out of shorter runs; the slowest files first, so that none is
    left at the end.
    """
    for item in items:
        for mark, names in (("slow", FRAMEWORK + LONG), ("extra", EXTRA)):
            if item.nodeid.startswith(names):
                item.add_marker(mark)
    items.sort(key=lambda item: [name not in item.nodeid for name in SLOWEST])


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for the whole session; a folder of tests may have its own."""
    at = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIPTYCH_CACHE", str(at))
        yield at


@pytest.fixture
def triptych(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line: `triptych("show", "lenet")` runs it in `tmp_path` and gives
    what it said.

    Warnings are errors there too, but in the processes that it starts: those are the
    frameworks' own.
    """

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run
