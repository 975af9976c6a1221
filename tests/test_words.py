"""How long a sample is: the same for every model, whatever it was shown around it."""

from pathlib import Path

import pytest

from evalharness.measurement import Answered, measure_task
from evalharness.metrics.aggregation import mean
from evalharness.prompts.preparation import prepare
from evalharness.records import (
    Generation,
    GenerationResponse,
    LogLikelihood,
    Message,
    Metric,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Row,
    Sample,
    Task,
)
from evalharness.run_folder import read_sample_rows, write_samples
from evalharness.sources import LocalFile
from evalharness.words import words_asked


def words(request: Request, source: str = "") -> int:
    return words_asked(Sample(id="x", requests=(request,), source=source))


def test_examples_system_prompts_and_options_do_not_count() -> None:
    """With them, a sample was longer for the model that got more examples."""
    plain = LogLikelihood("Is snow white?", " yes", shots=("Is grass red? no\n\n",) * 5)
    chat = Generation(
        (Message("system", "Be brief, and be kind."), Message("user", "Is snow white?")), 5
    )
    assert words(plain) == words(chat) == 3


def test_a_source_counts_in_place_of_the_prompt_around_it() -> None:
    request = Generation("English phrase: Snow falls\nFrench phrase:", 5)
    assert words(request, source="Snow falls") == 2


@pytest.mark.parametrize(
    "request_",
    [
        RollingLogLikelihood("Snow fell all night."),
        PseudoLogLikelihood("Snow fell all night."),
        LogLikelihood("", "Snow fell all night."),
    ],
)
def test_a_sentence_that_is_scored_as_a_whole_counts_itself(request_: Request) -> None:
    assert words(request_) == 4


@pytest.mark.parametrize(
    ("text", "count"),
    [("雪は白い。", 4), ("她 说: 下雪了", 5), ("it's 3.5", 4), ("Schnee fällt", 2), ("", 0)],
)
def test_characters_of_scripts_without_spaces_are_words(text: str, count: int) -> None:
    """A Chinese sentence of any length was one word."""
    assert words(RollingLogLikelihood(text)) == count


def test_a_run_writes_the_words_of_each_sample_into_its_rows(tmp_path: Path) -> None:
    """A report reads them from there; the texts of 100,000 samples are not read again."""
    data = tmp_path / "rows.jsonl"
    data.write_text('{"text": "Snow fell."}\n{"text": "Rain fell all night."}\n')

    def sample(row: Row) -> Sample:
        return Sample(id=str(row.number), requests=(Generation(f"Say it: {row['text']}", 5),))

    metric = Metric("m", lambda _sample, _responses: (1.0,), mean())
    task = Task(
        name="mine", family="translation", version=1, data=LocalFile(data), sample=sample,
        metrics=(metric,),
    )  # fmt: skip
    ready = prepare(task, limit=None, num_fewshot=0, seed=0)
    answers = [Answered(one, GenerationResponse("a", "end"), False) for one in ready.instances()]
    _, rows = measure_task(ready, answers, seed=0, peak_memory_bytes=0)
    assert [row.words for row in rows] == [4, 6]
    write_samples(tmp_path, "mine", rows)
    assert [row.words for row in read_sample_rows(tmp_path, "mine").values()] == [4, 6]
