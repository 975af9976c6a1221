"""A suite of several models: a base is loaded once for its adapters, and what is done is let go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from evalharness.backends import builtin, open_backends
from evalharness.backends.builtin import BuiltinBackend
from evalharness.cli.suite import run_suite
from evalharness.config import Suite
from evalharness.errors import DataError, UsageError
from evalharness.records import Instance, LogLikelihood, Sample
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer
from tests.adapters import make_adapter
from tests.models import make_llama
from tests.plugins import write_plugin
from tests.workplace import Workplace

PROJECTIONS = ("q_proj", "v_proj", "down_proj")
ASKED = [Instance("task", Sample(id="s", requests=(LogLikelihood("The quick", " fox"),)), 0)]


@pytest.fixture
def folder(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A folder, in which the test is, with two bases, two adapters of one and a plugin."""
    monkeypatch.chdir(tmp_path)
    base = make_llama(tmp_path / "base")
    make_llama(tmp_path / "other", seed=1)
    for seed, name in enumerate("ab"):
        make_adapter(tmp_path / name, base, PROJECTIONS, seed=seed)
    write_plugin(tmp_path / "plugins")
    return tmp_path


class Loads:
    """What was loaded, and how many of the models before were still there at each time."""

    def __init__(self, load: Callable[..., Transformer]) -> None:
        self._load = load
        self._models: list[ref[Transformer]] = []
        self.folders: list[str] = []
        self.alive: list[int] = []

    def __call__(self, folder: Path, *arguments: Any) -> Transformer:
        self.folders.append(folder.name)
        self.alive.append(sum(model() is not None for model in self._models))
        model = self._load(folder, *arguments)
        self._models.append(ref(model))
        return model


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    counted = Loads(load_transformer)
    monkeypatch.setattr(builtin, "load_transformer", counted)
    return counted


def run(*models: str, tasks: tuple[str, ...] = ("toy-choice",)) -> int:
    suite = Suite(models=models, tasks=tasks, tasks_dir=(Path("plugins"),), limit=3)
    return run_suite(suite, ["evalharness"], "json", debug=False)


def test_a_base_is_loaded_once_for_all_its_adapters(folder: Path, loads: Loads) -> None:
    assert run("builtin:base", "builtin:base?adapter=a", "builtin:base?adapter=b") == 0
    assert loads.folders == ["base"]
    results = [json.loads(path.read_text()) for path in folder.glob("runs/*/results.json")]
    models = {result["model"]["name"]: result["model"] for result in results}
    assert set(models) == {"base", "base + a", "base + b"}
    assert len({model["fingerprint"] for model in models.values()}) == 3
    # Rank 4 on three projections of three layers, whose inputs and outputs add up to these.
    more = 3 * 4 * ((36 + 36) + (36 + 18) + (50 + 36))
    assert models["base + a"]["parameters"] == models["base"]["parameters"] + more


def test_a_model_that_is_done_is_let_go_before_the_next_is_loaded(
    folder: Path,  # noqa: ARG001 - sets the folder
    loads: Loads,
) -> None:
    """All models of a suite stayed in memory until its end."""
    assert run("builtin:base", "builtin:other", "builtin:base?adapter=a", "builtin:other") == 0
    assert loads.folders == ["base", "other", "base"]
    assert loads.alive == [0, 0, 0]


def test_a_model_is_let_go_also_after_an_error(folder: Path, loads: Loads) -> None:
    """Tracebacks hold the calls in which an error was made, and with them the model."""
    plugin = folder / "plugins" / "toy.py"
    plugin.write_text(
        plugin.read_text()
        + "\nfrom dataclasses import replace\n"
        + "def _broken(sample, responses):\n    raise ValueError('no')\n"
        + "bad = replace(TASKS[0].metrics[0], name='bad', measure=_broken)\n"
        + "TASKS = (*TASKS, replace(TASKS[0], name='toy-bad', metrics=(bad,)))\n"
    )
    assert run("builtin:base", "builtin:other", tasks=("toy-choice", "toy-bad")) == 2
    assert loads.folders == ["base", "other"]
    assert loads.alive == [0, 0]


def test_models_share_the_storage_of_their_base_and_another_one_takes_its_place(
    folder: Path,  # noqa: ARG001 - sets the folder
) -> None:
    specs = [
        "builtin:base",
        "builtin:base?adapter=a",
        "builtin:other",
        "builtin:base?dtype=bfloat16",
    ]
    base, adapted, other, half = open_backends(specs)
    places = []
    for backend in (base, adapted, other, half):
        assert isinstance(backend, BuiltinBackend)
        list(backend.answer(ASKED))
        weights = backend._load().state_dict().values()
        places.append({weight.data_ptr() for weight in weights})
    assert places[0] < places[1]
    assert not places[0] & places[2]
    assert not places[0] & places[3]


def test_a_base_that_was_overwritten_is_not_used_for_the_next_adapter(
    folder: Path,
) -> None:
    """The weights in memory are mapped: what is written to their file is seen in them."""
    base, adapted = open_backends(["builtin:base", "builtin:base?adapter=a"])
    list(base.answer(ASKED))
    make_llama(folder / "base", seed=3)
    for _ in range(2):
        with pytest.raises(DataError, match="changed while the checkpoint was loaded"):
            list(adapted.answer(ASKED))


def test_an_adapter_that_was_overwritten_is_refused_and_has_another_fingerprint(
    folder: Path,
) -> None:
    (backend,) = open_backends(["builtin:base?adapter=a"])
    make_adapter(folder / "a", make_llama(folder / "base"), PROJECTIONS, seed=7)
    with pytest.raises(DataError, match=r"adapter/adapter_model\.safetensors changed"):
        list(backend.answer(ASKED))
    (again,) = open_backends(["builtin:base?adapter=a"])
    assert again.model.fingerprint != backend.model.fingerprint


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("aa", "adapter: there is no folder aa. Did you mean 'a'"),
        ("plugins", "plugins is not an adapter as PEFT saves it"),
        ("wide", r"layers.0.mlp.down_proj'.* 50 inputs to 48 outputs.*another base"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_known_before_anything_is_computed(
    folder: Path, loads: Loads, adapter: str, message: str
) -> None:
    make_adapter(folder / "wide", make_llama(folder / "w", hidden_size=48), PROJECTIONS)
    with pytest.raises((DataError, UsageError), match=message):
        run("builtin:base", f"builtin:base?adapter={adapter}")
    assert not loads.folders


@pytest.fixture
def training(workplace: Workplace) -> Workplace:
    """A workplace with the checkpoints of a training run, and of a LoRA training."""
    for step in (1000, 500, 1500):
        base = make_llama(workplace.folder / "out" / f"checkpoint-{step}", seed=step)
        make_adapter(workplace.folder / "lora" / f"checkpoint-{step}", base, PROJECTIONS, seed=step)
    return workplace


def test_a_sweep_is_a_series_in_the_order_of_its_steps(training: Workplace) -> None:
    spec = "builtin:out/checkpoint-*?max_length=200"
    arguments = ("-t", "toy-choice", "--tasks-dir", "plugins", "--limit", "3")
    done = training("run", "-m", "builtin:out/checkpoint-1000?max_length=200", "-m", spec,
                    *arguments, "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    models = {run["model"]["step"]: run["model"] for run in json.loads(done.stdout)}
    assert sorted(models) == [500, 1000, 1500]
    for step, model in models.items():
        assert model["series"] == spec
        assert model["spec"] == f"builtin:out/checkpoint-{step}?max_length=200"
    training.environment["COLUMNS"] = "160"
    table = training("run", "-m", spec, *arguments)
    places = [table.stdout.index(name) for name in ("-500", "-1000", "-1500")]
    assert places == sorted(places)
    assert f"series {spec}: steps 500, 1000, 1500" in table.stdout


def test_a_sweep_over_adapters_is_planned_and_read_from_a_suite_file(training: Workplace) -> None:
    (training.folder / "suite.yaml").write_text(
        "models: ['builtin:checkpoint?adapter=lora/checkpoint-*']\ntasks: [toy-choice]\n"
        "tasks_dir: [plugins]\nlimit: 2\n"
    )
    done = training("run", "-c", "suite.yaml", "--dry-run", "--format", "json")
    assert done.returncode == 0, done.stderr
    names = [model["name"] for model in json.loads(done.stdout)["models"]]
    assert names == [f"checkpoint + checkpoint-{step}" for step in (500, 1000, 1500)]
