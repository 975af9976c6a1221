"""What was measured, beside what is to be reached, as a table for people."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rich.table import Table

from benchmarks.records import CommandRow, RequestsRow, Row, TimingsRow
from benchmarks.rounds import LM_EVALUATION_HARNESS

MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Target:
    """What a quantity is to reach; `text` says it in the table."""

    text: str
    reached: Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity of a row; `shown` is `value` in words. Without a target it is only told."""

    row: str
    quantity: str
    value: float
    shown: str
    target: Target | None = None

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "reached" if self.target.reached(self.value) else "NOT REACHED"


def at_least(bound: float, text: str) -> Target:
    return Target(f"at least {text}", lambda value: value >= bound)


def below(bound: float, text: str) -> Target:
    return Target(f"below {text}", lambda value: value < bound)


RATIO, SHARE, ABOVE_WEIGHTS, GROWTH = "ratio", "share of peak", "above weights", "growth"
TARGETS: Mapping[tuple[str, str], Target] = {
    ("openbookqa-5-shot", RATIO): at_least(25, "25 times"),
    ("openbookqa-0-shot", RATIO): at_least(4.5, "4.5 times"),
    ("stereoset", RATIO): at_least(2, "2 times"),
    ("xsum", RATIO): at_least(2.5, "2.5 times"),
    ("command-openbookqa-0-shot", RATIO): at_least(4, "4 times"),
    ("openbookqa-5-shot", SHARE): at_least(0.70, "70 %"),
    ("openbookqa-0-shot", SHARE): at_least(0.70, "70 %"),
    ("stereoset", SHARE): at_least(0.70, "70 %"),
    ("gemma-memory", ABOVE_WEIGHTS): below(1000 * MEGABYTE, "1,000 MB"),
    ("bootstrap", "10,000 resamples"): below(2, "2 s"),
    ("comparison", "20 runs"): below(30, "30 s"),
    ("planner", "100,000 requests"): below(3, "3 s"),
    # Linear but for sorting, whose comparisons double while the requests grow a thousandfold.
    ("planner", GROWTH): below(2, "2 times"),
}


def lines(name: str, row: Row) -> Iterator[Line]:
    """What there is to say of a row."""
    if isinstance(row, RequestsRow):
        return _request_lines(name, row)
    if isinstance(row, CommandRow):
        return _command_lines(name, row)
    return _timing_lines(name, row)


def _request_lines(name: str, row: RequestsRow) -> Iterator[Line]:
    ours = row.ours
    targets = TARGETS if row.device == "cpu" else {}  # a GPU's are other ones
    seconds = statistics.median(ours.seconds)
    for peer_name, peer in row.peers.items():
        target = targets.get((name, RATIO)) if peer_name == LM_EVALUATION_HARNESS else None
        theirs = statistics.median(peer.seconds)
        shown = f"{peer.ratio:.1f} times ({seconds:.2f} s, {theirs:.2f} s)"
        yield Line(name, f"speed against {peer_name}", peer.ratio, shown, target)
    if ours.share_of_peak is not None:
        shown = f"{ours.share_of_peak:.0%} of {ours.square_gflops:.0f} GFLOP/s"
        target = targets.get((name, SHARE))
        yield Line(name, "share of the matrix-product peak", ours.share_of_peak, shown, target)
    yield Line(
        name,
        "tokens per second",
        ours.tokens_per_second,
        f"{ours.tokens_per_second:,.0f} ({ours.prompt_tokens:,} asked, {ours.computed_tokens:,} "
        f"computed, {ours.generated_tokens:,} generated)",
    )
    above = ours.peak_memory_bytes - row.weights_bytes
    shown = (
        f"{above / MEGABYTE:,.0f} MB above {row.weights_bytes / MEGABYTE:,.0f} MB of weights; "
        f"{ours.resident_before_bytes / MEGABYTE:,.0f} MB before loading"
    )
    yield Line(name, "peak memory", above, shown, targets.get((name, ABOVE_WEIGHTS)))


def _command_lines(name: str, row: CommandRow) -> Iterator[Line]:
    seconds, theirs = statistics.median(row.seconds), statistics.median(row.peer_seconds)
    shown = f"{row.ratio:.1f} times ({seconds:.1f} s, {theirs:.1f} s)"
    target = TARGETS.get((name, RATIO)) if row.device == "cpu" else None
    yield Line(name, f"speed against {LM_EVALUATION_HARNESS}", row.ratio, shown, target)


def _timing_lines(name: str, row: TimingsRow) -> Iterator[Line]:
    for size, timing in sorted(row.timings.items()):
        shown = f"{timing.seconds:.3f} s ({timing.seconds / size * 1e6:.1f} µs each)"
        quantity = f"{size:,} {row.unit}"
        yield Line(name, quantity, timing.seconds, shown, TARGETS.get((name, quantity)))
    target = TARGETS.get((name, GROWTH))
    if target is not None:
        growth = cost_growth(row)
        yield Line(name, "cost of one, largest by smallest", growth, f"{growth:.2f} times", target)


def cost_growth(row: TimingsRow) -> float:
    """Seconds a unit at the largest size, by those at the smallest: 1 where time is linear."""
    each = {size: timing.seconds / size for size, timing in row.timings.items()}
    return each[max(each)] / each[min(each)]


def table(rows: Mapping[str, Row]) -> Table:
    """All lines of the rows."""
    shown = Table("row", "quantity", "measured", "to be reached", "")
    for name, row in rows.items():
        for line in lines(name, row):
            target = "" if line.target is None else line.target.text
            shown.add_row(line.row, line.quantity, line.shown, target, line.verdict)
        shown.add_section()
    return shown
