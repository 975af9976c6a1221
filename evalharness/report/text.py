"""Text that comes from strangers, made safe to look at; numbers as people write them."""

import re
import unicodedata

from evalharness.results import MetricResult

LONGEST = 80
_HOME = re.compile(r"(?:/home|/Users)/[^/\s]+|/root(?=/|$)")
# Characters that show nothing but change what is read: controls, bidirectional marks, zero width.
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def spelled_out(text: str) -> str:
    """The text with its hidden characters spelled out: fit for a terminal."""
    return "".join(
        f"⟦U+{ord(character):04X}⟧"
        if unicodedata.category(character) in _HIDDEN_CATEGORIES and character not in "\n\t"
        else character
        for character in text
    )


def visible(text: str) -> str:
    """The text with hidden characters spelled out and home folders shortened to ~."""
    return spelled_out(_HOME.sub("~", text))


def short(text: str) -> str:
    """A visible text that is not longer than LONGEST characters."""
    shown = visible(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def number(value: float, metric: MetricResult) -> str:
    """Three decimals without the leading zero for scores up to 1, one decimal for larger scales.

    So have differences of scores, which are up to 2. A scale without an end, such as that of a
    perplexity, has three decimals below 10.
    """
    low, high = metric.bounds
    if low is None or high is None or max(-low, high) > 2:
        decimals = 3 if high is None and abs(value) < 10 else 1
        return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
    text = f"{value:.3f}"
    return text if value >= 1 else text.replace("0.", ".", 1).replace("-", "\N{MINUS SIGN}")


def interval(metric: MetricResult) -> str:
    """The 95 % interval, or why there is none."""
    if metric.interval is None:
        return "no interval"
    low, high = metric.interval
    return f"{number(low, metric)} to {number(high, metric)}"


def amount(count: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def money(price: float) -> str:
    """A price in the currency of the user's own, "–" for none; small ones have more decimals."""
    if price == 0:
        return "–"
    if price < 0.0001:
        return "< 0.0001"
    return f"{price:.2f}" if price >= 1 else f"{price:.4f}"


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    if count == 0:
        return "–"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
