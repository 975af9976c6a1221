"""The machine: what it is, and how fast it multiplies matrices.

python -m benchmarks.machine FOLDER prints both, for the layer shapes of a checkpoint folder.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks.processes import DEVICES
from benchmarks.records import Machine, MatrixProducts
from evalharness.environment import describe_environment, installed_version

# Large enough that the product is bound by arithmetic, small enough to take a fraction of a second.
SQUARE = 2048
# As many tokens as a pack holds.
TOKENS = 512
ROUNDS = 8


def describe_machine(device: str) -> Machine:
    """Processor, memory, GPU and versions."""
    return Machine(
        processor=_processor(),
        cores=_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load_average=os.getloadavg()[0],
        gpu=_gpu() if device == "cuda" else "",
        environment={
            **describe_environment(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", ""),
            "lm-eval": installed_version("lm-eval"),
            "pytest-benchmark": installed_version("pytest-benchmark"),
        },
    )


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name()


def measure_products(shapes: Sequence[tuple[int, int]], device: str, dtype: str) -> MatrixProducts:
    """GFLOP/s of two SQUARE x SQUARE matrices, and of TOKENS rows times each of `shapes`.

    A product (a, b) x (b, c) counts 2abc operations. Each figure is the best of ROUNDS, so that
    what else the machine does lowers no peak.
    """
    import torch
    from torch import Tensor

    def ones(*shape: int) -> Tensor:
        return torch.ones(*shape, device=device, dtype=getattr(torch, dtype))

    first, second = ones(SQUARE, SQUARE), ones(SQUARE, SQUARE)
    square = _best_seconds(lambda: first @ second, device)
    products = [(ones(TOKENS, columns), ones(rows, columns)) for rows, columns in shapes]
    # One layer after the other, as a model meets them, so that caches help no more than there.
    layers = _best_seconds(
        lambda: [torch.nn.functional.linear(tokens, matrix) for tokens, matrix in products], device
    )
    operations = sum(2 * TOKENS * rows * columns for rows, columns in shapes)
    return MatrixProducts(square=2 * SQUARE**3 / square / 1e9, layers=operations / layers / 1e9)


def _best_seconds(work: Callable[[], object], device: str) -> float:
    import torch

    seconds = []
    for _ in range(ROUNDS + 1):  # the first one also sets things up
        started = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
def main(folder: Path, device: str) -> None:
    """Print what this machine is, and how fast it multiplies matrices."""
    from benchmarks.checkpoint import describe_checkpoint

    click.echo(describe_machine(device).model_dump_json(indent=1))
    shapes = describe_checkpoint(folder).layer_shapes
    click.echo(measure_products(shapes, device, "float32").model_dump_json(indent=1))


if __name__ == "__main__":
    main()
