"""Where the time of a piece of work goes, by torch's profiler: python -m benchmarks.profile WORK.

Prints the share of each kind of operation in the time that all of them took themselves. On one
thread the shares hold on a busy machine, too: OMP_NUM_THREADS=1 python -m benchmarks.profile xsum.
"""

from collections.abc import Mapping

import click
from torch.profiler import ProfilerActivity, profile

from benchmarks.ours import FIRST, answer
from benchmarks.work import SMOLLM2, WORKS, prepare_work
from evalharness.backends import open_backend

# Names of torch's operators -> what they are here. What is not named is counted as the rest.
KINDS: Mapping[str, str] = {
    "aten::mm": "matrix products of weights",
    "aten::addmm": "matrix products of weights",
    "aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
    "aten::_scaled_dot_product_attention_math": "attention",
    "aten::bmm": "attention",
    "aten::silu_": "activation of the feed-forward network",
    "aten::mul_": "activation of the feed-forward network",
    "aten::logsumexp": "softmax over the vocabulary",
    "aten::exp": "softmax over the vocabulary",
    "aten::exp_": "softmax over the vocabulary",
    "aten::logaddexp": "softmax over the vocabulary",
    "aten::amax": "softmax over the vocabulary",
    "aten::argmax": "softmax over the vocabulary",
    "aten::copy_": "copies (keys and values, joins)",
    "aten::cat": "copies (keys and values, joins)",
    "aten::index_select": "copies (keys and values, joins)",
    "aten::index": "copies (keys and values, joins)",
    "aten::_index_put_impl_": "copies (keys and values, joins)",
}
REST = "norms, rotary positions, and the rest"


def shares(work: str) -> dict[str, float]:
    """Kind of operation -> its share of the time, the largest first."""
    instances = list(prepare_work(work).instances())
    backend = open_backend(f"builtin:{SMOLLM2}?device=cpu&dtype=float32")
    answer(backend, [FIRST])
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        answer(backend, instances)
    seconds: dict[str, float] = {}
    for event in profiled.key_averages():
        kind = KINDS.get(event.key, REST)
        seconds[kind] = seconds.get(kind, 0.0) + event.self_cpu_time_total
    total = sum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return {kind: spent / total for kind, spent in ordered}


@click.command()
@click.argument("works", nargs=-1, type=click.Choice(list(WORKS)))
def main(works: tuple[str, ...]) -> None:
    """Print where the time of WORKS goes (of all, unless some are named)."""
    for work in works or WORKS:
        click.echo(work)
        for kind, share in shares(work).items():
            click.echo(f"  {share:6.1%}  {kind}")


if __name__ == "__main__":
    main()
