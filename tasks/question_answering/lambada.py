"""LAMBADA: the last word of a passage, which needs all of it (Paperno et al. 2016).

Data: https://zenodo.org/records/2630551, CC BY 4.0; here the 5,153 passages of the test split in
the variant of Radford et al. 2019, which undoes the tokenisation ("lambada_openai"). Hub:
EleutherAI/lambada_openai, configuration default, which has a test split only: no few-shot
examples.

    {"text": "In my palm is a clear stone, and inside it is a small ivory statuette. A ..."}

As lm-evaluation-harness (lambada_openai): the text up to its last space is the prompt, the last
word with that space is scored. acc: is each of its tokens the likeliest one? perplexity: of the
word, as a whole, so that models of other tokenizers compare. Answers that are replayed (outputs:)
do not tell which tokens are the likeliest: their acc is 0. Id and fields checked against
lm-evaluation-harness; not checked against the hub from a closed network. The jsonl file that
OpenAI published can be given by --data.
"""

from evalharness.metrics.last_word import LAST_WORD_ACCURACY, LAST_WORD_PERPLEXITY
from evalharness.records import Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    passage, _, word = row["text"].rpartition(" ")
    if not passage or not word:
        raise ValueError(f"the text should end with a space and a word: {row['text'][-80:]!r}")
    return multiple_choice(id=str(row.number), prompt=passage, choices=[word], gold=0)


TASKS = (
    Task(
        name="lambada",
        family="question_answering",
        version=1,
        data=HubDataset("EleutherAI/lambada_openai", "default"),
        sample=sample,
        metrics=(LAST_WORD_ACCURACY, LAST_WORD_PERPLEXITY),
        licence="CC BY 4.0",
        description="The last word of a passage that has to be understood as a whole.",
    ),
)
