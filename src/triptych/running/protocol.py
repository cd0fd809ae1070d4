"""Everything that passes between processes: jobs, replies and events, each a record
with a tag.

A worker is asked one job a line and answers it with one reply; on the way it tells
events, one a line. Those who started the work hear the same events and some more, which
no worker tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from triptych.frameworks.contract import Facts
from triptych.network.conventions import Precision
from triptych.running.epoch import Epoch
from triptych.running.measurements import PeakRound, Round, Startup
from triptych.running.stopping import Stopped

# ---- replies -------------------------------------------------------------------------


class Reply(Struct, frozen=True, tag_field="reply"):
    """What comes of a job."""


class TrainingDone(Reply, frozen=True, tag="training done"):
    """The training is done; its figures lie in the run folder."""


class Opened(Reply, frozen=True, tag="opened"):
    """A network is built and waits for images."""


class Predicted(Reply, frozen=True, tag="predicted"):
    """The logits lie where they were asked for."""


class ExamDone(Reply, frozen=True, tag="exam done"):
    """The answers lie in the exam's folder; these are the facts of who gave them."""

    facts: Facts


class Ready(Reply, frozen=True, tag="ready"):
    """A framework is ready to be measured; what that took."""

    startup: Startup
    facts: Facts


class PeakReady(Reply, frozen=True, tag="peak ready"):
    """The machine itself is ready to be measured."""


class TurnTaken(Reply, frozen=True, tag="turn taken"):
    """A framework's turn."""

    round: Round


class PeakTurnTaken(Reply, frozen=True, tag="peak turn taken"):
    """The machine's turn."""

    round: PeakRound


AnyReply = (
    TrainingDone
    | Opened
    | Predicted
    | ExamDone
    | Ready
    | PeakReady
    | TurnTaken
    | PeakTurnTaken
)

# ---- jobs ----------------------------------------------------------------------------

R = TypeVar("R", bound=Reply)


class Job(Struct, Generic[R], frozen=True, tag_field="job"):
    """What a worker is asked to do; R is what comes of it."""


class Train(Job[TrainingDone], frozen=True, tag="train"):
    """Train to the end, from a checkpoint if there is one."""

    run: str
    """The run folder."""
    store: str
    """The folder of the decoded images."""


class Open(Job[Opened], frozen=True, tag="open"):
    """Build a run's network with given weights, and keep it for predictions."""

    run: str
    weights: str
    """The file of weights, whichever framework learned them."""


class Predict(Job[Predicted], frozen=True, tag="predict"):
    """Logits of some rows of a file of pixels, by the network opened before."""

    images: str
    """uint8 pixels, one image after another."""
    shape: tuple[int, ...]
    """(images, height, width, channels) of that file."""
    rows: str
    """The file that says which, as the tensor `rows`."""
    logits: str
    """The file that they go to, as the tensor `logits`: (rows, classes)."""


class Answer(Job[ExamDone], frozen=True, tag="answer"):
    """Answer cases of an exam; the answers go to its folder."""

    exam: str
    cases: list[str]
    precision: Precision


class Load(Struct, frozen=True, kw_only=True):
    """What every framework is measured with."""

    network: str
    """The architecture file."""
    batch_size: int
    precision: Precision
    store: str
    """The folder of the decoded images."""
    seconds: float
    """How long a measurement lasts, unless the fewest steps take longer."""


class StartBench(Job[Ready], frozen=True, tag="bench"):
    """Get ready to be measured; what follows is one TakeTurn a round."""

    load: Load


class TakeTurn(Job[TurnTaken], frozen=True, tag="turn"):
    """Measure everything once."""


class StartPeak(Job[PeakReady], frozen=True, tag="peak"):
    """Get ready to measure the machine itself; one TakePeakTurn a round follows."""

    precision: Precision


class TakePeakTurn(Job[PeakTurnTaken], frozen=True, tag="peak turn"):
    """Measure the machine once."""


AnyJob = (
    Train | Open | Predict | Answer | StartBench | TakeTurn | StartPeak | TakePeakTurn
)

# ---- events --------------------------------------------------------------------------


class _Event(Struct, frozen=True, tag_field="event"):
    """Something that has happened."""


class Started(_Event, frozen=True, tag="start"):
    """A worker is there; next it imports its framework."""


class FeaturesComputed(_Event, frozen=True, tag="features"):
    """For how many images the frozen part of a network has been asked for its outputs;
    `total` counts every view of them.
    """

    done: int
    total: int


class StepDone(_Event, frozen=True, tag="step"):
    """A training goes on; a few times a second."""

    epoch: int
    """Counted from 1."""
    share: float
    """Of the epoch that is done, 0 to 1."""
    loss: float | None
    """None if it is no finite number."""
    images_per_second: float


class EpochDone(_Event, frozen=True, tag="epoch"):
    """An epoch is over, and its checkpoint written."""

    figures: Epoch
    best_epoch: int


class StoppedEarly(_Event, frozen=True, tag="stopped early"):
    """A training has ended before its last epoch."""

    early: Stopped


class Alive(_Event, frozen=True, tag="alive"):
    """A sign of life from long work."""


class CaseAsked(_Event, frozen=True, tag="asked"):
    """What a framework is being asked in a proof."""

    case: str
    what: str


class Measuring(_Event, frozen=True, tag="measuring"):
    """What is being measured."""

    what: str


class Finished(_Event, frozen=True, tag="finished"):
    """A training or a framework's part of a proof has come to its end."""


class Failed(_Event, frozen=True, tag="failed"):
    """It has come to an early end; the message says why."""

    message: str


class Missing(_Event, frozen=True, tag="missing"):
    """A framework is not installed; the message says how to install it."""

    message: str


class ImagesPrepared(_Event, frozen=True, tag="images"):
    """How many images are decoded."""

    done: int
    total: int


class Noted(_Event, frozen=True, tag="noted"):
    """What was decided because nobody said otherwise, or is to be known of a run before
    it starts, in words.
    """

    message: str


class RunOpened(_Event, frozen=True, tag="run"):
    """A run folder is locked and about to be filled; what the run uses, in words."""

    folder: str
    summary: str


class TrainingsPlanned(_Event, frozen=True, tag="trainings planned"):
    """What is going to be trained."""

    frameworks: tuple[str, ...]
    epochs: int


class ProofPlanned(_Event, frozen=True, tag="proof planned"):
    """Who is going to be asked."""

    frameworks: tuple[str, ...]


class BenchPlanned(_Event, frozen=True, tag="bench planned"):
    """Who is going to be measured, how often."""

    frameworks: tuple[str, ...]
    rounds: int


class ReplayPlanned(_Event, frozen=True, tag="replay planned"):
    """The trainings of a replay, by name in words, and how many of them are done."""

    labels: dict[str, str]
    done: int


class TurnBegins(_Event, frozen=True, tag="turn begins"):
    """It is a framework's turn, in the round counted from 1."""

    round: int


class TurnEnds(_Event, frozen=True, tag="turn ends"):
    """A framework's turn is over."""

    round: int


class FirstStepDone(_Event, frozen=True, tag="first step"):
    """A framework is ready to be measured."""

    seconds: float
    """From the creation of its process to the end of its first training step."""


Told = (
    Started
    | FeaturesComputed
    | StepDone
    | EpochDone
    | StoppedEarly
    | Alive
    | CaseAsked
    | Measuring
    | Finished
)
"""Those events that a worker tells."""

Event = (
    Told
    | Failed
    | Missing
    | ImagesPrepared
    | Noted
    | RunOpened
    | TrainingsPlanned
    | ProofPlanned
    | BenchPlanned
    | ReplayPlanned
    | TurnBegins
    | TurnEnds
    | FirstStepDone
)


class Replied(_Event, frozen=True, tag="reply"):
    """The job is done."""

    reply: AnyReply


class Raised(_Event, frozen=True, tag="raised"):
    """The job has failed; the message says why."""

    message: str


Said = Told | Replied | Raised
"""Everything that comes out of a worker."""

Emit = Callable[[Told], None]
"""Tells whoever started the work what is going on."""

Callback = Callable[[str, Event], None]
"""Hears (who, event) while long work goes on, from any thread.

Who is a framework or a training by its name, or "images", "plan" or "run".
"""


def silence(who: str, event: Event) -> None:
    """Hear nothing."""
