"""results.json: the last measurement of each row; a row measured again replaces its own only."""

from pathlib import Path

from pydantic import ValidationError

from benchmarks.records import Results, Row
from evalharness.errors import DataError
from evalharness.run_folder import write_text


def read_results(path: Path) -> Results:
    """What was measured before; nothing if there is no such file.

    Raises DataError for a file that is not one of results.
    """
    if not path.exists():
        return Results()
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} holds no results of this benchmark: {error}.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise DataError(
            f"{path} holds no results of this benchmark: {where}: {problem['msg']}. "
            "Give another --output, or move the file away."
        ) from None


def keep_row(path: Path, name: str, row: Row) -> None:
    """Put a row into the file. Raises DataError as `read_results` does, before it writes."""
    rows = {**read_results(path).rows, name: row}
    results = Results(rows=dict(sorted(rows.items())))
    write_text(path, f"{results.model_dump_json(by_alias=True, indent=1)}\n")
