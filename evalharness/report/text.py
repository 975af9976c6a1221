"""Text that comes from strangers, made safe to look at; numbers as people write them."""

import math
import re
import unicodedata

from evalharness.results import Method, MetricResult

LONGEST = 80
_HOME = re.compile(r"(?:/home|/Users)/[^/\s]+|/root(?![\w.-])")
# The usual beginnings of keys: OpenAI and Anthropic, Hugging Face, GitHub, Slack, AWS, Google.
_KEY = re.compile(
    r"\b(?:sk-[\w-]{16,}|hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[A-Z0-9]{16}|AIza[\w-]{30,})"
)
# A text without any of these needs no second look, which is what most of a large report is.
_REDACTED_PARTS = (
    *("/home/", "/Users/", "/root", "sk-", "hf_", "github_pat_", "xox", "AKIA", "AIza"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
)
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


def may_be_redacted(text: str) -> bool:
    """False if there is nothing in the text that `redacted` takes out."""
    return any(part in text for part in _REDACTED_PARTS)


def redacted(text: str) -> str:
    """The text with home folders shortened to ~ and what looks like a key or token taken out."""
    if not may_be_redacted(text):
        return text
    return _KEY.sub("[redacted]", _HOME.sub("~", text))


def redactions(text: str) -> list[tuple[int, int]]:
    """Where a text has what `redacted` takes out: the first character, and that after the last."""
    if not may_be_redacted(text):
        return []
    return [found.span() for pattern in (_KEY, _HOME) for found in pattern.finditer(text)]


def visible(text: str) -> str:
    """The text with hidden characters spelled out, and without home folders and keys."""
    return spelled_out(redacted(text))


def short(text: str) -> str:
    """A visible text that is not longer than LONGEST characters."""
    shown = visible(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def number(value: float, metric: MetricResult) -> str:
    """Three decimals without the leading zero for scores up to 1, one decimal for larger scales.

    So have differences of scores, which are up to 2. A scale without an end, such as that of a
    perplexity, has three decimals below 10.
    """
    text = f"{value:.{decimals(value, metric)}f}".replace("-", "\N{MINUS SIGN}")
    return text.replace("0.", ".", 1) if is_share(metric) and abs(value) < 1 else text


def is_share(metric: MetricResult) -> bool:
    """Is the metric on a scale of about 0 to 1?"""
    low, high = metric.bounds
    return low is not None and high is not None and max(-low, high) <= 2


def decimals(value: float, metric: MetricResult) -> int:
    """How many decimals `number` gives a value."""
    if is_share(metric) or (metric.bounds[1] is None and abs(value) < 10):
        return 3
    return 1


def interval(metric: MetricResult) -> str:
    """The 95 % interval, or why there is none."""
    if metric.interval is None:
        return "no interval"
    low, high = metric.interval
    return f"{number(low, metric)} to {number(high, metric)}"


def half_width(metric: MetricResult) -> str:
    """Half the width of the interval as "±.043", or "" without one.

    Where that would leave the range of the metric, though the interval does not, the way from the
    value to each end: "+.014 −.072".
    """
    if metric.interval is None:
        return ""
    low, high = metric.interval
    half = (high - low) / 2
    value = metric.value
    if value is None or not low <= value <= high or not _leaves_range(metric, value, half):
        return f"±{number(half, metric)}"
    ways = [signed(way, metric) for way in (high - value, low - value)]
    told = [way for way in ways if way[0] in "+\N{MINUS SIGN}"]
    return " ".join(told) or f"±{number(half, metric)}"


def _leaves_range(metric: MetricResult, value: float, half: float) -> bool:
    """Does half an interval on both sides of a value leave the range that the interval keeps to?"""
    return metric.interval is not None and (
        _in_range(metric, *metric.interval) and not _in_range(metric, value - half, value + half)
    )


def _in_range(metric: MetricResult, low: float, high: float) -> bool:
    """Does the metric take all values from `low` to `high`? Errors of rounding do not count."""
    least, most = metric.bounds
    slack = 1e-9
    return (least is None or low >= least - slack) and (most is None or high <= most + slack)


def signed(value: float | None, metric: MetricResult) -> str:
    """A difference of two scores, with its sign; none before what is rounded to nothing."""
    if value is None:
        return "undefined"
    text = number(abs(value), metric)
    if not any(digit in text for digit in "123456789"):
        return text
    return f"+{text}" if value > 0 else f"\N{MINUS SIGN}{text}"


def signed_interval(ends: tuple[float, float], metric: MetricResult) -> str:
    """The interval of a difference."""
    return f"{signed(ends[0], metric)} to {signed(ends[1], metric)}"


def p_value(value: float) -> str:
    """A p-value with three decimals, "none" where nothing could be tested."""
    if math.isnan(value):
        return "none"
    return "< .001" if value < 0.001 else "1" if value > 0.9995 else f"{value:.3f}"[1:]


def sort_key(value: float) -> str:
    """A number as scripts read it."""
    return f"{value:.9g}"


def ranks(found: tuple[int, int]) -> str:
    """A rank, or the first and the last that are possible: "2–5"."""
    return str(found[0]) if found[0] == found[1] else f"{found[0]}–{found[1]}"


def tie_name(group: int) -> str:
    """A for the best models that cannot be told apart, B for the best of the rest, and so on."""
    return chr(ord("A") + group) if group < 26 else str(group + 1)


def percent(share: float) -> str:
    """A share of 1 in percent, with one decimal."""
    return f"{100 * share:.1f}"


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


def method_words(method: Method | None) -> str:
    """How a task was asked where that was not its own way, or ""."""
    if method is None:
        return ""
    return "asked for the letter" if method.name == "letter" else "given the bare source"
