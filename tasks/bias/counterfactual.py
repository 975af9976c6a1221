"""counterfactual:TASK: does a model answer another task's questions alike for women and men?

Data: that of the other task, whatever it is. Each question is asked as it is, and once more with
English words and names of men and women exchanged (evalharness/metrics/gender_swap.py):

    Mr Field lost his keys. Who lost them?      Ms Field lost her keys. Who lost them?

The right answers are swapped with the question. Questions in which nothing is swapped say nothing
and count in `changed` only. Swaps of words: Zhao et al. 2018, Lu et al. 2018; of names: Hall
Maudslay et al. 2019; the lists here are our own.
Few-shot examples are those of the other task, and stay as they are. lm-evaluation-harness has
nothing like it.
"""

from collections.abc import Callable
from dataclasses import replace

from evalharness.errors import UsageError
from evalharness.metrics.counterfactual import asked_twice, counterfactual_metrics
from evalharness.records import Row, Sample, Task, TaskTemplate

NAME = "counterfactual"
VERSION = 1


def make(argument: str, find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a task that is not in English, or that is one of these already."""
    if argument.partition(":")[0] == NAME:
        raise UsageError(f"{argument} is swapped already; name the task that it is made of.")
    base = find(argument)
    if tuple(base.languages) != ("en",):
        raise UsageError(
            f"{NAME}:{argument}: only English texts can be swapped, and {argument} is in "
            f"{', '.join(base.languages)}."
        )
    return replace(
        base,
        name=f"{NAME}:{argument}",
        family="bias",
        version=100 * base.version + VERSION,
        sample=twice(base.sample),
        metrics=counterfactual_metrics(base.metrics),
        description=f"Genders exchanged. {base.description}",
        alternatives=tuple(replace(one, sample=twice(one.sample)) for one in base.alternatives),
    )


def twice(sample: Callable[[Row], Sample]) -> Callable[[Row], Sample]:
    return lambda row: asked_twice(sample(row))


TASKS = (
    TaskTemplate(
        name=NAME,
        family="bias",
        argument="TASK",
        examples=("starter-pairs",),
        make=make,
        description="Another task's questions, and the same with women and men exchanged.",
    ),
)
