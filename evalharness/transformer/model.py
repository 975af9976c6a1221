"""A decoder-only transformer, in reading order; config.py says what families differ in.

Shapes in comments: B rows, T tokens, S tokens attended to, W width of the residual stream, H heads,
G key/value heads, D width of a head, R rotated part of it, F width of the feed-forward layer, V
vocabulary.

Sources: Radford et al. 2019 (GPT-2), Touvron et al. 2023 (Llama), Zhang & Sennrich 2019 (RMSNorm),
Ba et al. 2016 (LayerNorm), Su et al. 2021 (rotary positions), Ainslie et al. 2023 (grouped-query
attention), Shazeer 2020 (gated feed-forward networks), Wang & Komatsuzaki 2021 (the parallel
residual of GPT-J), Gemma Team 2024 and 2025 (norms on both sides, soft caps, norms of queries and
keys), OLMo Team 2025 (norms after).
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalharness.transformer.attention import Attention
from evalharness.transformer.config import TransformerConfig
from evalharness.transformer.rope import Rotation

Angles = tuple[Tensor, Tensor]
"""Cosine (B, T, 1, D) and sine (B, T, 1, R / 2) of every position's angles."""


class Transformer(nn.Module):
    """Tokens in, hidden states out; `logits` turns those hidden states that matter into scores."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = embedding(config.vocabulary_size, config.width)
        if config.learned_positions:
            self.position_embedding = embedding(config.learned_positions, config.width)
        rotations = list(dict.fromkeys(config.rotations))
        self.rotaries = nn.ModuleList(Rotary(each, config.head_width) for each in rotations)
        self.rotary_of_layer = [rotations.index(each) for each in config.rotations]
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.layers))
        self.norm = NORMS[config.norm](config.width, config.norm_epsilon)
        self.output = nn.Linear(config.width, config.vocabulary_size, bias=False)

    def forward(self, tokens: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        """tokens, positions (B, T) -> (B, T, W); `attention` says which tokens see which."""
        hidden = self._embedded(tokens, positions)  # (B, T, W)
        angles = [rotary(positions, hidden.dtype) for rotary in self.rotaries]
        for index, layer in enumerate(self.layers):
            own = angles[self.rotary_of_layer[index]] if angles else None
            hidden = layer(hidden, own, attention)
        return self.norm(hidden)  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor, tokens: slice = slice(None)) -> Tensor:
        """(..., W) -> (..., V), or of some tokens only, in float32: exact enough for a softmax."""
        logits = functional.linear(hidden, self.output.weight[tokens]).float()
        cap = self.config.logit_softcap
        return logits if cap is None else logits.div_(cap).tanh_().mul_(cap)

    def _embedded(self, tokens: Tensor, positions: Tensor) -> Tensor:
        hidden: Tensor = self.embedding(tokens)
        if self.config.learned_positions:
            hidden += self.position_embedding(positions)
        if self.config.embedding_scale != 1:
            # The models were trained with a scale that is rounded like the embeddings are.
            hidden *= torch.tensor(self.config.embedding_scale, dtype=hidden.dtype).item()
        return hidden


def embedding(rows: int, width: int) -> nn.Embedding:
    """A table that is not filled with random numbers first: torch imports its compiler for that."""
    return nn.Embedding(rows, width, _weight=torch.empty(rows, width))


class Layer(nn.Module):
    """Attention, then a feed-forward network, each added to the residual stream."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        norm = partial(NORMS[config.norm], config.width, config.norm_epsilon)
        before = norm if config.norm_placement != "after" else nn.Identity
        after = norm if config.norm_placement != "before" else nn.Identity
        self.parallel = config.parallel
        self.attention_norm = before()
        self.attention = SelfAttention(config, index)
        self.attention_output_norm = after()
        self.feed_forward_norm = before()
        self.feed_forward = (GatedFeedForward if config.gated else FeedForward)(config)
        self.feed_forward_output_norm = after()

    def forward(self, hidden: Tensor, angles: Angles | None, attention: Attention) -> Tensor:
        mixed = self.attention(self.attention_norm(hidden), angles, attention)
        attended = self.attention_output_norm(mixed).add_(hidden)  # (B, T, W)
        read = hidden if self.parallel else attended
        computed = self.feed_forward(self.feed_forward_norm(read))
        return self.feed_forward_output_norm(computed).add_(attended)  # type: ignore[no-any-return]


class RootMeanSquareNorm(nn.Module):
    """Divides by the root mean square of the last dimension, in float32 whatever the dtype."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        exact = functional.rms_norm(hidden.float(), self.weight.shape, self.weight, self.epsilon)
        return exact.to(hidden.dtype)


class LayerNorm(nn.Module):
    """Takes the mean off and divides by the deviation, in float32 whatever the dtype."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        exact = functional.layer_norm(
            hidden.float(), self.weight.shape, self.weight, self.bias, self.epsilon
        )
        return exact.to(hidden.dtype)


NORMS: Mapping[str, type[RootMeanSquareNorm] | type[LayerNorm]] = {
    "root_mean_square": RootMeanSquareNorm,
    "layer": LayerNorm,
}


class SelfAttention(nn.Module):
    """Grouped-query attention: H query heads share G key/value heads."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.kind = config.attention[index]
        self.head_width = config.head_width
        queries, keys = config.query_width, config.key_width
        self.query = nn.Linear(config.width, queries, bias=config.query_key_value_bias)
        self.key = nn.Linear(config.width, keys, bias=config.query_key_value_bias)
        self.value = nn.Linear(config.width, keys, bias=config.query_key_value_bias)
        self.output = nn.Linear(queries, config.width, bias=config.attention_output_bias)
        self.query_norm: nn.Module = nn.Identity()
        self.key_norm: nn.Module = nn.Identity()
        if config.query_key_norm != "none":
            over_heads = config.query_key_norm == "head"
            self.query_norm, self.key_norm = (
                RootMeanSquareNorm(config.head_width if over_heads else width, config.norm_epsilon)
                for width in (queries, keys)
            )
        self.normed_heads = config.query_key_norm == "head"

    def forward(self, hidden: Tensor, angles: Angles | None, attention: Attention) -> Tensor:
        queries = self._normed(self.query(hidden), self.query_norm)  # (B, T, H, D)
        keys = self._normed(self.key(hidden), self.key_norm)  # (B, T, G, D)
        values = self._heads(self.value(hidden))  # (B, T, G, D)
        if angles is not None:
            queries, keys = rotate(queries, angles), rotate(keys, angles)
        mixed = attention.attend(  # (B, H, T, D)
            self.index,
            self.kind,
            queries.transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
        )
        return self.output(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _normed(self, joined: Tensor, norm: nn.Module) -> Tensor:
        """(B, T, heads * D) -> (B, T, heads, D), normalised before or after it is divided."""
        return norm(self._heads(joined)) if self.normed_heads else self._heads(norm(joined))

    def _heads(self, joined: Tensor) -> Tensor:
        return joined.view(*joined.shape[:2], -1, self.head_width)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "silu": partial(functional.silu, inplace=True),
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "relu": functional.relu,
}


class GatedFeedForward(nn.Module):
    """A gate decides how much of each of F features passes."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[config.activation]
        width, inner = config.width, config.feed_forward_width
        self.gate = nn.Linear(width, inner, bias=config.feed_forward_bias)
        self.up = nn.Linear(width, inner, bias=config.feed_forward_bias)
        self.down = nn.Linear(inner, width, bias=config.feed_forward_bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down(self.activate(self.gate(hidden)).mul_(self.up(hidden)))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """F features of the residual stream, and what follows from them."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.activate = ACTIVATIONS[config.activation]
        width, inner = config.width, config.feed_forward_width
        self.up = nn.Linear(width, inner, bias=config.feed_forward_bias)
        self.down = nn.Linear(inner, width, bias=config.feed_forward_bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down(self.activate(self.up(hidden)))  # type: ignore[no-any-return]


class Rotary(nn.Module):
    """The angles of positions, computed in float32 and once for all layers that share them."""

    def __init__(self, rotation: Rotation, head_width: int) -> None:
        super().__init__()
        self.frequencies: Tensor
        # A constant, which is there also while the weights are yet to be loaded.
        frequencies = torch.tensor(rotation.frequencies, device="cpu")  # (R / 2,)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.magnitude = rotation.magnitude
        self.kept = head_width - 2 * len(rotation.frequencies)  # D - R

    def forward(self, positions: Tensor, dtype: torch.dtype) -> Angles:
        turned = positions[..., None, None].float() * self.frequencies  # (B, T, 1, R / 2)
        cosine, sine = turned.cos() * self.magnitude, turned.sin() * self.magnitude
        whole = functional.pad(torch.cat((cosine, cosine), dim=-1), (0, self.kept), value=1.0)
        return whole.to(dtype), sine.to(dtype)


def rotate(heads: Tensor, angles: Angles) -> Tensor:
    """Turn each pair (i, i + R/2) of (B, T, heads, D) by its position's angle."""
    cosine, sine = angles
    half = sine.shape[-1]
    first, second = heads[..., :half], heads[..., half : 2 * half]
    rotated = heads * cosine
    rotated[..., :half].addcmul_(second, sine, value=-1)
    rotated[..., half : 2 * half].addcmul_(first, sine)
    return rotated
