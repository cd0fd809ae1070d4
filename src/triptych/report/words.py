"""Figures and findings in words: how the page rounds, counts and says what came out."""

from __future__ import annotations

import math

from triptych.running.result import FrameworkResult, Result

_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
_NO_BREAK = "\N{NO-BREAK SPACE}"
_FRACTION_BITS = {"float64": 52, "float32": 23, "bfloat16": 7}
_STANDING = {
    "equal": ("proved equal", "proved equal to the NumPy reference"),
    "different": ("not equal", "not equal to the NumPy reference"),
    "inconclusive": (
        "equality inconclusive",
        "equality with the NumPy reference inconclusive",
    ),
    "not proved": (
        "equality not proved",
        "equality with the NumPy reference not proved",
    ),
}
"""How a headline begins, by verdict: of several frameworks, and of a single one."""


def percent(share: float) -> str:
    """0.8619 as "86.2 %"."""
    return f"{100 * share:.1f}{_NO_BREAK}%"


def probability(share: float) -> str:
    """Whole percents, and never "100 %" for what is less."""
    if 0.995 <= share < 1:
        return f"> 99{_NO_BREAK}%"
    return f"{100 * share:.0f}{_NO_BREAK}%"


def span(low: float, high: float) -> str:
    """Two shares as "86.2 to 87.1 %", or as one where they read the same."""
    first, last = f"{100 * low:.1f}", percent(high)
    return last if percent(low) == last else f"{first} to {last}"


def count(number: float) -> str:
    """Thousands set apart."""
    return f"{number:,.0f}"


def capitalized(sentence: str) -> str:
    """With a large first letter, all others as they are."""
    return sentence[:1].upper() + sentence[1:]


def spelled(number: int, noun: str) -> str:
    """ "three frameworks", "one framework", "12 frameworks"."""
    word = _NUMBERS[number] if number < len(_NUMBERS) else count(number)
    return f"{word} {noun}{'s' * (number != 1)}"


def rate(number: float) -> str:
    """Three digits or more: "1,284", "98.3"."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def seconds(number: float) -> str:
    """ "0.84 s", "24.6 s", "3 min 25 s", "2 h 5 min"."""
    if number < 10:
        return f"{number:.2f}{_NO_BREAK}s"
    if number < 99.95:
        return f"{number:.1f}{_NO_BREAK}s"
    whole = round(number)
    if whole < 3600:
        return f"{whole // 60}{_NO_BREAK}min {whole % 60}{_NO_BREAK}s"
    return f"{whole // 3600}{_NO_BREAK}h {whole % 3600 // 60}{_NO_BREAK}min"


def milliseconds(number: float) -> str:
    """Seconds with three digits as "0.123 ms", "12.3 ms", "1,230 ms"."""
    thousandths = 1000 * number
    digits = max(0, 2 - math.floor(math.log10(thousandths))) if thousandths > 0 else 0
    return f"{thousandths:,.{digits}f}{_NO_BREAK}ms"


def gap(number: float) -> str:
    """A difference with two digits: "2.4e-7", "0.034"; 0 is 0."""
    if number == 0 or number >= 0.01:
        return f"{number:.2g}" if number < 10 else count(number)
    digits, power = f"{number:.1e}".split("e")
    return f"{digits}e{int(power)}"


def spacing(value: float, precision: str) -> float:
    """How far apart neighboring numbers of that precision lie near `value`."""
    return float(2.0 ** (math.frexp(value)[1] - 1 - _FRACTION_BITS[precision]))


def verdict(result: Result) -> str:
    """The certificate's verdict; "not proved" where there is no certificate."""
    return result.equivalence.verdict if result.equivalence else "not proved"


def reason(result: Result) -> str:
    """What that verdict rests on."""
    return (
        result.equivalence.reason if result.equivalence else "the run has not finished"
    )


def headline(result: Result) -> str:
    """What came out, in one sentence that begins with the verdict."""
    done = [one for one in result.frameworks.values() if one.status == "done"]
    left = len(result.frameworks) - len(done)
    if not done:
        return f"{spelled(left, 'framework').capitalize()}, and none has finished."
    sentence = f"{_standing(done, verdict(result))}: {_accuracies(done, result)}"
    first = result.agreement.first_step_loss_gap
    if len(done) > 1 and first is not None:
        losses = f"at most {gap(first)} apart" if first else "identical"
        sentence += f", first-step losses {losses}"
    return sentence + (
        f"; {spelled(left, 'framework')} did not finish." if left else "."
    )


def _standing(done: list[FrameworkResult], verdict: str) -> str:
    """Who finished, and whether they are equal: to each other, or a single one to the
    reference.
    """
    together, alone = _STANDING[verdict]
    if len(done) == 1:
        return f"{done[0].title}, {alone}"
    return f"{spelled(len(done), 'framework').capitalize()}, {together}"


def _accuracies(done: list[FrameworkResult], result: Result) -> str:
    for part, shares in (
        ("test", [one.test_accuracy for one in done]),
        ("validation", [one.validation_accuracy for one in done]),
    ):
        known = [share for share in shares if share is not None]
        if known:
            each = (
                " in each"
                if len(known) > 1 and percent(min(known)) == percent(max(known))
                else ""
            )
            images = count(getattr(result.images, part))
            return (
                f"{part} accuracy {span(min(known), max(known))}{each} "
                f"on {images} images"
            )
    return "trained, with no images set aside to test it on"
