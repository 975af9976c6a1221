"""`hf:`: transformers' own classes, one backend for each kind of model."""

from evalharness.backends.huggingface.loading import find_model
from evalharness.backends.spec import ModelSpec
from evalharness.records import Backend


def open_huggingface(spec: ModelSpec) -> Backend:
    """Find and check the checkpoint; the weights are loaded when they are first needed.

    Raises UsageError for options that do not fit, DataError for a checkpoint that cannot be read
    or is of a kind that no backend here is for.
    """
    found = find_model(spec)
    if found.model_class.kind == "causal":
        from evalharness.backends.huggingface.causal import CausalBackend

        return CausalBackend(found)
    if found.model_class.kind == "masked":
        from evalharness.backends.huggingface.masked import MaskedBackend

        return MaskedBackend(found)
    from evalharness.backends.huggingface.seq2seq import Seq2seqBackend

    return Seq2seqBackend(found)
