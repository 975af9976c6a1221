r"""WikiText-2: how well does a model predict Wikipedia's articles? (Merity et al. 2016)

Data: https://huggingface.co/datasets/EleutherAI/wikitext_document_level, configuration
wikitext-2-raw-v1: the test split, an article a row. Licence CC BY-SA 3.0. An invented row in the
original's form:

    {"page": " = Novy Brod = \n \n Novy Brod is a town of 1 @,@ 200 people . \n"}

As in lm-evaluation-harness the model is given the article with its tokenisation undone, while words
and bytes are those of the row as it is. Each token is scored once, in windows as long as the
context, where papers on quantisation score pieces of one text that was joined from all rows: their
perplexities are per token and smaller. lm-evaluation-harness also replaces the pattern /' [0-9]/
with itself, as text, which we leave out. Id, configuration and field were checked against its task
file, not against the hub, from a closed network.
"""

import re
from hashlib import sha256

from evalharness.metrics.perplexity import PERPLEXITIES
from evalharness.records import Row, Sample, Task
from evalharness.samples import rolling
from evalharness.sources import HubDataset

# In this order: contractions, separators in numbers, punctuation, ...
BEFORE = [("s '", "s'"), (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", ".")]
BEFORE += [(f" {mark} ", f"{mark} ") for mark in ":;.!?,"]
# ... white space inside brackets and quotation marks, ...
INSIDE = [("(", ")"), ("[", "]"), ("{", "}"), ('"', '"'), ("'", "'")]
# ... headings, degrees, ends of lines, numbers left out, genitives.
AFTER = [
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" \N{DEGREE SIGN} ", "\N{DEGREE SIGN}"),
]
AFTER += [(" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s")]


def detokenize(page: str) -> str:
    """A page as people write it, by the rules of lm-evaluation-harness."""
    for old, new in BEFORE:
        page = page.replace(old, new)
    for left, right in INSIDE:
        inside = rf"\{left}\s*([^\{right}]*?)\s*\{right}"
        page = re.sub(inside, rf"{left}\g<1>{right}", page)
    for old, new in AFTER:
        page = page.replace(old, new)
    return page


def sample(row: Row) -> Sample:
    page = row["page"]
    return rolling(id=sha256(page.encode()).hexdigest()[:16], text=detokenize(page), source=page)


TASKS = (
    Task(
        name="wikitext",
        family="language_modelling",
        version=1,
        data=HubDataset("EleutherAI/wikitext_document_level", name="wikitext-2-raw-v1"),
        sample=sample,
        metrics=PERPLEXITIES,
        licence="CC BY-SA 3.0",
        description="Articles of English Wikipedia, each scored as a whole.",
    ),
)
