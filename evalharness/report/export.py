"""Scores as tables for other programs and for papers."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from evalharness.errors import DataError
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import Leaderboard, build_leaderboard
from evalharness.report.text import redacted, spelled_out
from evalharness.report.writing import guarded, latex_table, markdown_table


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one task of one run; None where there is no value, interval or rank."""

    model: str
    run_id: str
    spec: str
    series: str
    step: int | None
    family: str
    task: str
    version: int
    metric: str
    primary: bool
    value: float | None
    low: float | None
    high: float | None
    stderr: float | None
    higher_is_better: bool
    ideal: float | None
    n: int
    num_fewshot: int
    failed: int
    best_rank: int | None
    worst_rank: int | None


def scores(evidence: Evidence) -> Iterator[Score]:
    """Every metric of every task of every run, by run, family and task."""
    for run in evidence.runs:
        model = run.results.model
        tasks = run.results.tasks
        for name in sorted(tasks, key=lambda task: (tasks[task].family, task)):
            task = tasks[name]
            for place, (metric, result) in enumerate(task.metrics.items()):
                ranks = _ranks(evidence, name, metric, run.label)
                yield Score(
                    model=redacted(run.label),
                    run_id=run.origin(name).results.run_id,
                    spec=redacted(model.spec),
                    series=redacted(model.series),
                    step=model.step,
                    family=task.family,
                    task=name,
                    version=task.version,
                    metric=metric,
                    primary=place == 0,
                    value=result.value,
                    low=result.interval[0] if result.interval else None,
                    high=result.interval[1] if result.interval else None,
                    stderr=result.stderr,
                    higher_is_better=result.higher_is_better,
                    ideal=result.ideal,
                    n=task.n,
                    num_fewshot=task.num_fewshot,
                    failed=task.validity.failed,
                    best_rank=ranks[0],
                    worst_rank=ranks[1],
                )


def _ranks(
    evidence: Evidence, task: str, metric: str, label: str
) -> tuple[int, int] | tuple[None, None]:
    ranking = None if evidence.board is None else evidence.board.rankings.get(task)
    if ranking is None or ranking.metric != metric or label not in ranking.standings:
        return None, None
    return ranking.standings[label].ranks


def as_csv(evidence: Evidence) -> str:
    """A line for each score; texts that a spreadsheet would run as a formula are guarded."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([field.name for field in fields(Score)])
    for score in scores(evidence):
        values = (getattr(score, field.name) for field in fields(Score))
        writer.writerow([guarded(value) if isinstance(value, str) else value for value in values])
    return written.getvalue()


def as_json(evidence: Evidence) -> str:
    """A list of scores."""
    return json.dumps([asdict(score) for score in scores(evidence)], indent=1) + "\n"


def write_parquet(path: Path, evidence: Evidence) -> None:
    """A row for each score. Raises DataError when the file cannot be written."""
    import pyarrow
    import pyarrow.parquet

    types = {
        str: pyarrow.string(),
        bool: pyarrow.bool_(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    schema = pyarrow.schema(
        [(name, types[_plain(annotation)]) for name, annotation in get_type_hints(Score).items()]
    )
    rows = [asdict(score) for score in scores(evidence)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}.") from None


def _plain(annotation: Any) -> Any:
    """The type itself of one that may be None."""
    return annotation if isinstance(annotation, type) else get_args(annotation)[0]


def as_markdown(evidence: Evidence) -> str:
    """The leaderboard; bold cannot be told from the best."""
    header, rows = _board(build_leaderboard(evidence.pairs(), evidence.board, evidence.comparison))
    return markdown_table(header, rows)


def as_latex(evidence: Evidence) -> str:
    """The leaderboard for LaTeX with booktabs; bold cannot be told from the best."""
    header, rows = _board(build_leaderboard(evidence.pairs(), evidence.board, evidence.comparison))
    return latex_table(header, rows)


def _board(board: Leaderboard) -> tuple[list[str], list[list[tuple[str, bool]]]]:
    """Texts of the leaderboard, each with whether it is among the best."""
    header = ["Model", *(["Rank", "Mean, %"] if board.has_standings else [])]
    header += [f"{column.full_name} ({column.metric})" for column in board.columns]
    rows = []
    for row in board.rows:
        cells = [(row.full_name, False)]
        if row.standing is not None:
            mean = row.standing.mean
            cells += [(row.standing.rank, False), (f"{mean.value} {mean.half}".strip(), mean.best)]
        cells += [(f"{cell.value} {cell.half}".strip(), cell.best) for cell in row.cells]
        rows.append(cells)
    return [spelled_out(text) for text in header], rows
