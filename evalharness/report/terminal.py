"""The leaderboard in a terminal: tasks are rows, since there usually are more of them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalharness.report.cells import Cell
from evalharness.report.leaderboard import Run, build_leaderboard, order_runs
from evalharness.report.noise_words import noise_words


def print_table(runs: Sequence[Run], console: Console) -> None:
    """Print every task's primary metric for every model, with its 95 % interval and n."""
    board = build_leaderboard(order_runs(runs))
    table = Table(caption="95 % intervals; * the interval overlaps that of the best model")
    table.add_column("task", overflow="fold")
    table.add_column("metric", overflow="fold")
    for row in board.rows:
        table.add_column(Text(row.model), justify="right", overflow="fold")
    for place, column in enumerate(board.columns):
        cells = [_text(row.cells[place]) for row in board.rows]
        metric = f"{column.metric} ({column.direction})"
        table.add_row(Text(column.task), Text(metric), *cells)
    if board.has_prices:
        table.add_section()
        table.add_row("price", "of all answers", *(row.price for row in board.rows))
    console.print(table)
    for series in board.series:
        console.print(Text(f"series {series.name}: steps {', '.join(series.steps)}"))
    for record, results in runs:
        for task, result in results.tasks.items():
            for floor in result.noise:
                about = f"noise floor of {task}, {record.model.name}"
                console.print(Text(f"{about}: {noise_words(floor, result)}"))
    for column in board.columns:
        if column.mismatch:
            console.print(Text(f"{column.task}: {column.mismatch}"))


def _text(cell: Cell) -> Text:
    # The asterisk says what bold says, also where the output is no terminal.
    text = Text(f"{cell.value} *", style="bold") if cell.best else Text(cell.value)
    details = "\n".join(part for part in (cell.interval, cell.n, cell.note) if part)
    return text.append(f"\n{details}", style="not bold dim")
