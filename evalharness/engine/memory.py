"""Running out of memory: what was answered stays so, and the rest is tried in smaller pieces."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from evalharness.errors import DataError

log = logging.getLogger("evalharness")

# How often everything is halved before giving up.
_SMALLEST = 64

_Result = TypeVar("_Result")
Attempt = Callable[[Sequence[int], int], Iterator[tuple[int, _Result]]]
"""attempt(numbers, divisor) yields (number, result) for each of `numbers`, and takes about
1 / divisor of the memory that it takes with a divisor of 1."""


def in_smaller_pieces(total: int, attempt: Attempt[_Result]) -> Iterator[_Result]:
    """Yield the result of each of `total` pieces of work, whatever order they come in.

    When memory runs out, what has no result yet is tried again with half the size. Raises DataError
    when the smallest pieces do not fit.
    """
    remaining = dict.fromkeys(range(total))
    divisor = 1
    while remaining:
        try:
            for number, result in attempt(list(remaining), divisor):
                del remaining[number]
                yield result
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if divisor >= _SMALLEST:
                raise DataError(
                    f"the memory does not suffice, even for a small part of the work at a time "
                    f"({' '.join(str(error).split())[:200]}). Use a shorter max_length, a smaller "
                    "dtype, or a device with more memory."
                ) from None
            divisor *= 2
            log.warning(
                "out of memory: going on with 1/%d of the size, %d requests are left",
                *(divisor, len(remaining)),
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Is this what torch raises when memory cannot be had? A CPU gives a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device now; where it does not tell, 4 GiB are assumed."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 4 << 30
