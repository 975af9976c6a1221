"""One spec for many checkpoints: which, in which order, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.backends.spec import parse_spec
from evalharness.backends.sweeps import _natural, expand_specs
from evalharness.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checkpoints(folder: Path, *names: str, mark: str = "config.json") -> None:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / mark).write_text("{}")


def expanded(*texts: str) -> list[tuple[str, int | None]]:
    return [(spec.text, spec.step) for spec in expand_specs(texts)]


def test_checkpoints_are_in_the_order_of_their_steps(folder: Path) -> None:
    checkpoints(folder, "runs/checkpoint-1000", "runs/checkpoint-500", "runs/checkpoint-30")
    assert expanded("builtin:runs/checkpoint-*?dtype=float16&slots=3") == [
        (f"builtin:runs/checkpoint-{step}?dtype=float16&slots=3", step) for step in (30, 500, 1000)
    ]
    (first, *_) = expand_specs(["hf:runs/checkpoint-*?a=b"])
    assert first.series == "hf:runs/checkpoint-*?a=b"
    assert (first.reference, first.options) == ("runs/checkpoint-30", {"a": "b"})


def test_the_step_is_in_the_part_that_the_wildcard_stands_for(folder: Path) -> None:
    checkpoints(folder, "r/seed-2/checkpoint-500", "r/seed-10/checkpoint-500", "r/x/checkpoint-500")
    assert expanded("builtin:r/*/checkpoint-500") == [
        ("builtin:r/seed-2/checkpoint-500", 2),
        ("builtin:r/seed-10/checkpoint-500", 10),
        ("builtin:r/x/checkpoint-500", None),
    ]


def test_gguf_files_are_checkpoints(folder: Path) -> None:
    for name in ("m-10.gguf", "m-9.gguf"):
        (folder / name).write_text("")
    assert [step for _, step in expanded("builtin:*.gguf")] == [9, 10]


def test_adapters_are_swept(folder: Path) -> None:
    checkpoints(folder, "a b/checkpoint-2", "a b/checkpoint-10", mark="adapter_config.json")
    specs = expand_specs(["builtin:base?dtype=float16&adapter=a b/*"])
    assert [spec.step for spec in specs] == [2, 10]
    for spec in specs:
        assert spec.options == {"dtype": "float16", "adapter": f"a b/checkpoint-{spec.step}"}
        again = parse_spec(spec.text)
        assert (again.reference, again.options) == (spec.reference, spec.options)


def test_a_model_is_run_once_and_belongs_to_its_series(folder: Path) -> None:
    checkpoints(folder, "checkpoint-1", "checkpoint-2")
    specs = expand_specs(
        ["builtin:checkpoint-2", "builtin:checkpoint-*", "builtin:checkpoint-1", "baseline:random"]
    )
    assert [(spec.text, spec.step) for spec in specs] == [
        ("builtin:checkpoint-2", 2),
        ("builtin:checkpoint-1", 1),
        ("baseline:random", None),
    ]


def test_checkpoints_for_transformers_own_classes_are_a_series_too(folder: Path) -> None:
    checkpoints(folder, "checkpoint-20", "checkpoint-100")
    specs = expand_specs(["hf:checkpoint-*?dtype=float32"])
    assert [(one.text, one.step, one.series) for one in specs] == [
        (f"hf:checkpoint-{step}?dtype=float32", step, "hf:checkpoint-*?dtype=float32")
        for step in (20, 100)
    ]


def test_a_folder_with_brackets_in_its_name_is_no_pattern(folder: Path) -> None:
    checkpoints(folder, "model[1]")
    (spec,) = expand_specs(["builtin:model[1]"])
    assert (spec.reference, spec.series) == ("model[1]", "")


def test_other_schemes_may_have_stars(folder: Path) -> None:  # noqa: ARG001
    assert expanded("baseline:*", "openai:a*") == [("baseline:*", None), ("openai:a*", None)]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("builtin:runs/step-*", r"nothing matches 'runs/step-\*'. In runs there is: checkpoint-5"),
        ("builtin:run/checkpoint-*", "There is no 'run' in .*Did you mean 'runs'"),
        ("builtin:runs/*", r"'runs/trainer_state.json' matches, but is no checkpoint"),
        ("builtin:lora/*", r"no config.json. It is an adapter: builtin:BASE\?adapter=lora/\*"),
        ("builtin:x?adapter=runs/c*", "no adapter: it has no adapter_config.json"),
        ("builtin:runs/c*?adapter=runs/c*", "a spec for each base"),
    ],
)
def test_what_a_pattern_cannot_mean_is_refused(folder: Path, spec: str, message: str) -> None:
    checkpoints(folder, "runs/checkpoint-5")
    checkpoints(folder, "lora/checkpoint-5", mark="adapter_config.json")
    (folder / "runs" / "trainer_state.json").write_text("{}")
    with pytest.raises(UsageError, match=message):
        expand_specs([spec])


@given(st.lists(st.tuples(st.sampled_from(["a", "b-", ""]), st.integers(0, 10**6)), min_size=1))
def test_numbers_are_ordered_as_numbers(names: list[tuple[str, int]]) -> None:
    texts = [f"{word}{number}" for word, number in names]
    ordered = sorted(texts, key=_natural)
    assert ordered == [f"{word}{number}" for word, number in sorted(names)]
