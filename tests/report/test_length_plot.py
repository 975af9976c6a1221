"""Scores by length: bins measured by the statistics package, drawn where their numbers say."""

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import sacrebleu

from evalharness.compare.lengths import ScoresByLength, scores_by_length
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.metrics.translation import bleu
from evalharness.records import GenerationResponse, Sample
from evalharness.report.evidence import Evidence
from evalharness.report.length_plots import length_plot
from evalharness.report.view import build_page
from evalharness.results import SampleRow
from evalharness.run_folder import read_run, read_sample_rows, write_results
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import evidence_of_runs, metric, run, task


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return folders.evidence(folders.write_runs(tmp_path_factory.mktemp("runs"), samples=90))


def measured(evidence: Evidence, name: str) -> ScoresByLength:
    found = scores_by_length(name, evidence.runs, evidence.catalogue)
    assert found is not None
    return found


def rows_of(evidence: Evidence, model: str, name: str) -> list[SampleRow]:
    (own,) = [one for one in evidence.runs if one.label == model]
    return list(read_sample_rows(own.folder, name).values())


def test_a_bin_has_the_mean_of_its_samples_and_failed_ones_have_no_part(
    evidence: Evidence,
) -> None:
    """Checked against the rows of the file; the model failed four samples."""
    found = measured(evidence, "passages")
    scores = dict(found.models)["dogwood-1b"]
    rows = [one for one in rows_of(evidence, "dogwood-1b", "passages") if not one.failed]
    assert sum(one.n for one in scores) == len(rows) == 86
    for one in scores:
        inside = [row for row in rows if one.bin.low <= (row.words or 0) <= one.bin.high]
        values = [row.statistics["f1"][0] for row in inside if row.statistics]
        assert one.n == len(values)
        assert one.summary.value == pytest.approx(np.mean(values))
        assert one.summary.interval is not None


def test_all_models_have_the_same_bins_of_about_equal_numbers(evidence: Evidence) -> None:
    found = measured(evidence, "capitals")
    bins = {tuple(one.bin for one in scores) for _, scores in found.models}
    assert len(bins) == 1
    assert len(bins.pop()) == 5
    assert all(8 <= one.n <= 28 for _, scores in found.models for one in scores)


def test_marks_stand_where_their_numbers_say_and_the_table_has_all(evidence: Evidence) -> None:
    found = measured(evidence, "headlines")
    (drawn,) = length_plot("headlines", "task-1", found)
    count = sum(len(scores) for _, scores in found.models)
    assert len(drawn.dots) == len(drawn.table.rows) == count
    assert len(drawn.curves) == len(found.models) == 4
    values = [one.summary.value or math.nan for _, scores in found.models for one in scores]
    heights = [-float(dot.y) for dot in drawn.dots]
    assert np.corrcoef(values, heights)[0, 1] > 0.9999
    assert [row[4] for row in drawn.table.rows] == [
        str(one.n) for _, scores in found.models for one in scores
    ]


def test_names_at_the_ends_of_lines_do_not_cover_each_other(tmp_path: Path) -> None:
    models = [MadeModel(f"model-{place}", 0.6, tasks=("capitals",)) for place in range(8)]
    found = measured(folders.evidence(folders.write_runs(tmp_path, models=models)), "capitals")
    (drawn,) = length_plot("capitals", "task-0", found)
    places = sorted(float(one.y) for one in drawn.labels if one.kind == "name")
    assert len(places) == 8
    assert min(b - a for a, b in pairwise(places)) >= 14.9
    assert places[-1] <= 280


def test_of_many_models_the_first_eight_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    models = [MadeModel(f"m{place}", 0.3 + place / 20, tasks=("capitals",)) for place in range(10)]
    evidence = folders.evidence(folders.write_runs(tmp_path, models=models, samples=60))
    found = measured(evidence, "capitals")
    (drawn,) = length_plot("capitals", "task-0", found)
    assert [name for name, _ in found.models] == [one.label for one in evidence.runs[:8]]
    assert "Drawn are 8 of 10 models" in drawn.description


def test_samples_of_one_length_make_no_figure(tmp_path: Path) -> None:
    runs = folders.write_runs(tmp_path, models=[MadeModel("a", 0.5, tasks=("capitals",))])
    rewrite(runs[0], words=[7] * 120)
    found = measured(folders.evidence(runs), "capitals")
    assert list(length_plot("capitals", "task-0", found)) == []


def test_a_run_from_before_words_were_counted_says_what_to_do(tmp_path: Path) -> None:
    runs = folders.write_runs(tmp_path, models=[MadeModel("a", 0.5, tasks=("capitals",))])
    rewrite(runs[0], words=None)
    (section,) = build_page(folders.evidence(runs), "t").tasks
    assert section.plots == ()
    assert "evalharness rescore counts them" in section.not_drawn


def test_runs_without_samples_have_neither_figure_nor_complaint() -> None:
    evidence = evidence_of_runs([run("m", {"t": task({"acc": metric(0.5, (0.4, 0.6))})})])
    (section,) = build_page(evidence, "t").tasks
    assert section.plots == ()
    assert section.not_drawn == ""


def test_a_task_that_is_not_installed_says_so(evidence: Evidence) -> None:
    with pytest.raises(DataError, match="--tasks-dir"):
        scores_by_length("capitals", evidence.runs, Catalogue({}, {}, ()))


def test_the_bins_of_a_corpus_metric_are_corpora(tmp_path: Path) -> None:
    """Each bin's BLEU is what sacrebleu finds for its texts, not a mean over sentences."""
    (folder,) = folders.write_runs(tmp_path, models=[MadeModel("a", 0.5, tasks=("capitals",))])
    metric_of_task = bleu("eng")
    words = [3 + place % 20 for place in range(120)]
    references = [" ".join(folders.WORDS[k % 11] for k in range(count)) for count in words]
    texts = [text.replace("willows", "elms") for text in references[:60]] + references[60:]
    statistics = [
        metric_of_task.measure(
            Sample(id="x", requests=(), references=(reference,)),
            [GenerationResponse(text=text, finish="stop")],
        )
        for reference, text in zip(references, texts, strict=True)
    ]
    rewrite(folder, words=words, statistics=[list(one) for one in statistics])
    whole = sacrebleu.corpus_bleu(texts, [references]).score
    _, results = read_run(folder)
    scores = {"bleu": metric(whole, None, percent=True)}
    tasks = {"capitals": results.tasks["capitals"].model_copy(update={"metrics": scores})}
    write_results(folder, results.model_copy(update={"tasks": tasks}))
    made = folders.catalogue().find("capitals")
    installed = replace(made, task=replace(made.task, metrics=(metric_of_task,)))
    catalogue = Catalogue({"capitals": installed}, {}, ())
    found = scores_by_length("capitals", folders.read([folder]), catalogue)
    assert found is not None
    ((_, bins),) = found.models
    assert len(bins) == 5
    for one in bins:
        inside = [
            place for place, count in enumerate(words) if one.bin.low <= count <= one.bin.high
        ]
        expected = sacrebleu.corpus_bleu(
            [texts[place] for place in inside], [[references[place] for place in inside]]
        )
        assert one.summary.value == pytest.approx(expected.score)


def rewrite(
    folder: Path, *, words: list[int] | None, statistics: list[list[float]] | None = None
) -> None:
    """The samples of capitals, with other columns."""
    path = folder / "samples" / "capitals.parquet"
    table = pyarrow.parquet.read_table(path).drop_columns(["words"])
    if words is not None:
        table = table.append_column("words", pyarrow.array(words))
    if statistics is not None:
        column = pyarrow.array([json.dumps({"bleu": one}) for one in statistics])
        table = table.set_column(table.column_names.index("statistics"), "statistics", column)
    pyarrow.parquet.write_table(table, path)
