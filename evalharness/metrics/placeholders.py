"""Placeholders of user-interface messages, which a translation must keep."""

import re
from collections import Counter
from collections.abc import Sequence

from evalharness.metrics.aggregation import ratio_of_sums
from evalharness.metrics.responses import sum_over_draws
from evalharness.records import Metric, Sample

# Placeholders of Python and Django, and mark-up: %s, %(name)s, %%, {name}, <a>, </a>.
_PLACEHOLDER = re.compile(
    r"%\([A-Za-z_]\w*\)[#0\- +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]"
    r"|%[#0\-+]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa](?![A-Za-z])"
    r"|%%|\{[A-Za-z_]?[\w.\[\]]*(?:![rsa])?(?::[^{}]*)?\}|</?[A-Za-z][^<>]*>"
)


def placeholders(message: str) -> Counter[str]:
    """The placeholders of a message, and how often each stands in it."""
    return Counter(_PLACEHOLDER.findall(message))


def _measure_placeholders(sample: Sample, text: str) -> Sequence[float]:
    wanted = placeholders(sample.source)
    kept = wanted & placeholders(text)
    return float(kept.total()), float(wanted.total())


PLACEHOLDERS_KEPT = Metric(
    "placeholders_kept",
    sum_over_draws(_measure_placeholders),
    ratio_of_sums(),
    signature="share of the source's placeholders that stand unchanged in the output",
)
