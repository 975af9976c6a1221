"""Tasks for models that translate, or summarize, whatever they are given, instructions included.

Such a model is given the source of a sample as it stands, without what a prompt puts around it.
"""

from collections.abc import Sequence
from dataclasses import replace

from evalharness.prompts.preparation import PreparedTask, prompt_hash
from evalharness.records import Backend, Generation, Sample, SourceReading
from evalharness.results import Method

_REASON = "the model works on its source as it stands"


def give_sources(backend: Backend, tasks: Sequence[PreparedTask]) -> list[PreparedTask]:
    """The same tasks as this model is asked them.

    Where it reads sources (see SourceReading), tasks that ask for texts made from a source ask by
    that source alone, without few-shot examples, and until the model ends its text itself. All else
    stays as it is. The task's record says so.
    """
    if not (isinstance(backend, SourceReading) and backend.reads_sources):
        return list(tasks)
    return [_bare(task) if all(map(_has_source, task.samples)) else task for task in tasks]


def _has_source(sample: Sample) -> bool:
    return bool(sample.source) and all(isinstance(one, Generation) for one in sample.requests)


def _bare(task: PreparedTask) -> PreparedTask:
    samples = tuple(_bare_sample(sample) for sample in task.samples)
    record = task.record.model_copy(
        update={
            "num_fewshot": 0,
            "prompt_hash": prompt_hash(samples),
            "method": Method(name="source", reason=_REASON),
        }
    )
    return replace(task, samples=samples, record=record, examples=())


def _bare_sample(sample: Sample) -> Sample:
    requests = tuple(
        replace(one, prompt=sample.source, shots=(), stop=())
        for one in sample.requests
        if isinstance(one, Generation)
    )
    return replace(sample, requests=requests)
