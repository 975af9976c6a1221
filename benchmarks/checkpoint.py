"""A process of its own that finds a checkpoint, and the first time fetches and converts it.

So that neither the time nor the memory of that is counted: python -m benchmarks.checkpoint MODEL
"""

import math
import re
from pathlib import Path

import click
from safetensors import safe_open

from benchmarks.processes import printed_answer
from benchmarks.records import Checkpoint
from evalharness.backends.checkpoint import find_checkpoint
from evalharness.transformer.weights import weight_files

FIRST_LAYER = re.compile(r"\.layers\.0\.")
ANY_LAYER = re.compile(r"\.layers\.\d+\.")
EMBEDDING = re.compile(r"\bembed_tokens\.weight$")


def describe_checkpoint(folder: Path) -> Checkpoint:
    """Sizes of a checkpoint's matrices, in weights, by the shapes in its safetensors files."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                shapes[name] = tuple(file.get_slice(name).get_shape())
    matrices = {name: shape for name, shape in shapes.items() if len(shape) == 2}
    (embedding,) = (shape for name, shape in matrices.items() if EMBEDDING.search(name))
    return Checkpoint(
        folder=folder,
        weights=sum(math.prod(shape) for shape in shapes.values()),
        layer_weights=sum(
            math.prod(shape) for name, shape in matrices.items() if ANY_LAYER.search(name)
        ),
        # The output layer has the shape of the embedding, whether or not it is the same matrix.
        output_weights=math.prod(embedding),
        layer_shapes=tuple(
            (rows, columns)
            for name, (rows, columns) in sorted(matrices.items())
            if FIRST_LAYER.search(name)
        ),
    )


@click.command()
@click.argument("model")
def main(model: str) -> None:
    """Print the folder and the sizes of MODEL, a name of evalharness's catalogue, as JSON."""
    with printed_answer() as answer:
        answer(describe_checkpoint(find_checkpoint(model)))


if __name__ == "__main__":
    main()
