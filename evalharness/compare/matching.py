"""Whether two runs of a task may be compared: what they do not have in common, in words."""

from collections.abc import Iterator

from evalharness.compare.records import ComparedRun
from evalharness.results import ChatForm, Method


def reads_prompts(run: ComparedRun) -> bool:
    """False for baselines and answers made elsewhere, which were not given the run's prompts."""
    return not run.record.model.spec.startswith(("baseline:", "outputs:"))


def task_mismatches(task: str, baseline: ComparedRun, run: ComparedRun) -> Iterator[str]:
    """What differs of how both runs asked a task, prompts of single samples aside.

    How prompts were written is compared where both runs read them.
    """
    ours, theirs = run.record.tasks[task], baseline.record.tasks[task]
    pairs: list[tuple[str, object, object]] = [
        ("version of the task", ours.version, theirs.version),
        ("method", _method(ours.method), _method(theirs.method)),
        ("data", f"{ours.source} ({ours.revision})", f"{theirs.source} ({theirs.revision})"),
    ]
    if reads_prompts(run) and reads_prompts(baseline):
        pairs += [
            ("few-shot examples", ours.num_fewshot, theirs.num_fewshot),
            ("form of the prompts", _form(ours.chat), _form(theirs.chat)),
        ]
        if ours.num_fewshot == theirs.num_fewshot != 0:
            pairs.append(("seed of the few-shot examples", _seed(run, task), _seed(baseline, task)))
    for name, own, other in pairs:
        if own != other:
            yield f"{name}: {own}, the baseline has {other}"


def metric_mismatches(
    task: str, metric: str, baseline: ComparedRun, run: ComparedRun
) -> Iterator[str]:
    """What differs of how both runs scored a task."""
    own = run.results.tasks[task].metrics[metric]
    other = baseline.results.tasks[task].metrics[metric]
    if own.signature != other.signature:
        yield f"signature of {metric}: {own.signature!r}, the baseline has {other.signature!r}"
    if (own.bounds, own.ideal, own.higher_is_better) != (
        other.bounds,
        other.ideal,
        other.higher_is_better,
    ):
        yield f"{metric} has another range or direction than in the baseline"


def _seed(run: ComparedRun, task: str) -> int:
    return run.origin(task).record.configuration.seed


def _method(method: Method | None) -> str:
    return "the task's own" if method is None else method.name


def _form(form: ChatForm | None) -> str:
    if form is None:
        return "plain text"
    shots = f" with few-shot examples as {form.fewshot_as}" if form.fewshot_as else ""
    system = f" after the system prompt {form.system_prompt!r:.60}" if form.system_prompt else ""
    return f"chat{shots}{system}"
