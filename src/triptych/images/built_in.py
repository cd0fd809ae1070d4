"""The sets that need no files, each with its classes: known without drawing any."""

from __future__ import annotations

BUILT_IN: dict[str, tuple[str, ...]] = {
    "sports": (
        "climbing",
        "cycling",
        "gymnastics",
        "rowing",
        "skating",
        "xc_skiing",
    ),
    "digits": tuple("0123456789"),
}
