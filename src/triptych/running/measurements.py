"""What is measured in a bench, once and in every round; in seconds unless said."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Startup(Struct, kw_only=True):
    """What came before the rounds, once, while nobody else was at work."""

    import_seconds: Annotated[
        float,
        Meta(
            description="From the creation of the process to the imported framework: "
            "Python included."
        ),
    ]
    build_seconds: Annotated[
        float, Meta(description="The network and its optimizer, nothing computed yet.")
    ]
    first_step_seconds: Annotated[
        float, Meta(description="The first training step, compilation included.")
    ]
    compile_seconds: Annotated[
        float, Meta(description="The first training step less a steady one.")
    ]
    time_to_first_step: Annotated[
        float,
        Meta(
            description="From the creation of the process "
            "to the end of the first training step."
        ),
    ]
    first_prediction_seconds: Annotated[
        float, Meta(description="Of a batch, compilation included.")
    ]
    prediction_compile_seconds: Annotated[
        float, Meta(description="The first prediction less a steady one.")
    ]
    import_memory_mib: Annotated[
        float, Meta(description="Peak memory when the framework was imported.")
    ]


class Round(Struct, kw_only=True):
    """One framework's turn in one round, as it was measured; times in seconds."""

    began: Annotated[float, Meta(description="Seconds since 1970.")]
    ended: float
    steps: Annotated[
        int, Meta(description="Training steps, on noise and on images alike.")
    ]
    train_seconds: Annotated[
        float, Meta(description="Of these steps on one batch of noise, in memory.")
    ]
    real_seconds: Annotated[
        float, Meta(description="Of as many steps on images, prepared meanwhile.")
    ]
    predictions: Annotated[int, Meta(description="Batches that were predicted.")]
    predict_seconds: float
    latencies: Annotated[
        list[float], Meta(description="Of predicting single images, each by itself.")
    ]
    joules: Annotated[
        float | None,
        Meta(
            description="The processor's energy in `train_seconds`; "
            "null if it does not tell."
        ),
    ] = None
    peak_memory_mib: Annotated[
        float, Meta(description="Of the process, from its start to here.")
    ]


class PeakRound(Struct, kw_only=True):
    """One measurement of the machine itself."""

    began: float
    ended: float
    flops: Annotated[
        float, Meta(description="Operations a second of the fastest matrix product.")
    ]
