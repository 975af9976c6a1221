"""A comparison as Markdown, LaTeX, CSV, JSON, or for a terminal."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalharness.compare.gates import Verdict
from evalharness.compare.records import Comparison, Row
from evalharness.report.comparison import TextTable, counts, tables
from evalharness.report.writing import (
    Marked,
    guarded,
    in_latex,
    in_markdown,
    latex_table,
    markdown_table,
)


def print_comparison(comparison: Comparison, verdicts: Sequence[Verdict], console: Console) -> None:
    """All tables, for people; cells are folded where the console is narrow."""
    for table in tables(comparison, verdicts):
        shown = Table(title=Text(table.title), title_justify="left")
        for place, name in enumerate(table.header):
            shown.add_column(
                name, justify="left" if place < table.texts else "right", overflow="fold"
            )
        for row in table.rows:
            shown.add_row(*map(Text, row))
        console.print(shown)
        for note in table.notes:
            console.print(Text(note))


def as_markdown(comparison: Comparison, verdicts: Sequence[Verdict]) -> str:
    """All tables as Markdown."""
    parts = []
    for table in tables(comparison, verdicts):
        notes = "".join(f"\n{in_markdown(note)}\n" for note in table.notes)
        written = markdown_table(table.header, _unmarked(table), texts=table.texts)
        parts.append(f"**{in_markdown(table.title)}**\n\n{written}{notes}")
    return "\n".join(parts).rstrip("\n")


def as_latex(comparison: Comparison, verdicts: Sequence[Verdict]) -> str:
    """All tables as LaTeX with booktabs."""
    parts = []
    for table in tables(comparison, verdicts):
        notes = "".join(f"\n{in_latex(note)}\n" for note in table.notes)
        written = latex_table(table.header, _unmarked(table), texts=table.texts)
        parts.append(f"% {in_latex(table.title)}\n{written}{notes}")
    return "\n".join(parts).rstrip("\n")


def _unmarked(table: TextTable) -> list[list[Marked]]:
    """The cells of a table, none of which is bold."""
    return [[(text, False) for text in row] for row in table.rows]


_FIELDS = (
    *("task", "family", "metric", "run", "run_id", "baseline_value", "value", "difference", "low"),
    *("high", "stderr", "p_value", "corrected_p_value", "wins", "ties", "losses"),
    *(
        "smallest_detectable_effect",
        "samples_needed",
        "n",
        "clusters",
        "higher_is_better",
        "ideal",
        "test",
    ),
    *("interval_method", "mismatches", "notes"),
)


def as_csv(comparison: Comparison) -> str:
    """The differences, a line each, with all digits; what is undefined is empty.

    Texts that a spreadsheet would run as a formula are guarded.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_FIELDS)
    for row in comparison.rows:
        record = _without_nan(_record(row, comparison.level))
        lists = {name: "; ".join(record[name]) for name in ("mismatches", "notes")}
        values = ({**record, **lists}[name] for name in _FIELDS)
        writer.writerow([guarded(value) if isinstance(value, str) else value for value in values])
    return written.getvalue().rstrip("\n")


def as_json(comparison: Comparison, verdicts: Sequence[Verdict]) -> str:
    """Everything, with all digits; what is undefined is null."""
    content = {
        "schema": 1,
        "baseline": comparison.baseline,
        "runs": comparison.runs,
        "level": comparison.level,
        "correction": comparison.correction,
        "effect": comparison.effect,
        "differences": [_record(row, comparison.level) for row in comparison.rows],
        "rankings": [
            {
                "task": ranking.task,
                "metric": ranking.metric,
                "n": ranking.n,
                "standings": {run: asdict(one) for run, one in ranking.standings.items()},
                "mismatches": ranking.mismatches,
            }
            for ranking in comparison.rankings
        ],
        "overall": [asdict(one) for one in comparison.overall],
        "left_out": [asdict(one) for one in comparison.left_out],
        "cautions": [asdict(one) for one in comparison.cautions],
        "gates": [
            {**asdict(verdict), "option": verdict.gate.option, "gate": verdict.gate.text}
            for verdict in verdicts
        ],
    }
    return json.dumps(_without_nan(content), indent=1, ensure_ascii=False)


def _record(row: Row, level: float) -> dict[str, Any]:
    """A row as plain values, in the order of the columns."""
    found = row.difference
    wins, ties, losses = counts(row) or (None, None, None)
    low, high = found.intervals.get(level, (None, None))
    return {
        "task": row.task,
        "family": row.family,
        "metric": row.metric,
        "run": row.run,
        "run_id": row.run_id,
        "baseline_value": found.values[1],
        "value": found.values[0],
        "difference": found.difference,
        "low": low,
        "high": high,
        "stderr": found.stderr,
        "p_value": found.p_value,
        "corrected_p_value": row.corrected,
        "wins": wins,
        "ties": ties,
        "losses": losses,
        "smallest_detectable_effect": row.detectable,
        "samples_needed": row.needed,
        "n": found.n,
        "clusters": found.clusters,
        "higher_is_better": row.metric_result.higher_is_better,
        "ideal": row.metric_result.ideal,
        "test": found.test,
        "interval_method": found.method,
        "mismatches": row.mismatches,
        "notes": row.notes,
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
