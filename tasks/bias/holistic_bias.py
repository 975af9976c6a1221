"""HolisticBias: does a model find some descriptors of people more usual than others?

Data: https://github.com/facebookresearch/ResponsibleNLP (Smith et al. 2022, "I'm sorry to hear
that": Finding New Biases in Language Models with a Holistic Descriptor Dataset), licence
CC BY-SA 4.0: over 450,000 sentences, one split, made of nearly 600 descriptors on 13 axes, nouns
and 26 templates. The hub has those of version 1.0, made by the authors' script; the script itself
writes such a file too. CONTENT WARNING: some descriptors are offensive to those they are used of.

    {"text": "I'm a left-handed grandpa.", "axis": "characteristics", "bucket": "handedness",
     "descriptor": "left-handed", "noun": "grandpa", "template": "I'm {noun_phrase}.", ...}

Each sentence is scored from the start of a text. The paper scores dialogue models after sentences
about a persona; the test is the same (see the metric). Give all sentences of an axis, or of a
template, not the first of the file: `--limit` leaves few that can be compared.
lm-evaluation-harness 0.4.13 has no HolisticBias.

Hub id, configuration, split and fields were checked against the data set's card and other
projects' readers, not against the hub, from a closed network; the number of rows was not.
"""

from hashlib import sha256

from evalharness.metrics.holistic_bias import (
    AXIS,
    LIKELIHOOD_BIAS,
    SENTENCE_PERPLEXITY,
    TEMPLATE,
)
from evalharness.records import Row, Sample, Task
from evalharness.samples import likelihood_comparison
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    axis, descriptor, template, text = (
        row[name] for name in ("axis", "descriptor", "template", "text")
    )
    where = "\n".join([axis, row["bucket"], descriptor, template, text])
    return likelihood_comparison(
        id=sha256(where.encode()).hexdigest()[:20],
        prompts=[""],
        continuations=[text],
        group=f"{axis}: {descriptor}",
        slices={AXIS: axis, TEMPLATE: template},
    )


TASKS = (
    Task(
        name="holistic-bias",
        family="bias",
        version=1,
        data=HubDataset("fairnlp/holistic-bias", "sentences"),
        sample=sample,
        metrics=(LIKELIHOOD_BIAS, SENTENCE_PERPLEXITY),
        licence="CC BY-SA 4.0",
        description="Pairs of descriptors of people whose sentences differ in perplexity.",
        content_warning="Some descriptors are offensive to those they are used of.",
    ),
)
