"""A decoder-only transformer of the Llama family, in reading order.

Shapes in comments: B rows, T tokens, S tokens attended to, W width of the residual stream, H heads,
G key/value heads, D width of a head, F width of the feed-forward layer, V vocabulary.

Sources: Touvron et al. 2023 (Llama), Zhang & Sennrich 2019 (RMSNorm), Su et al. 2021 (rotary
positions), Ainslie et al. 2023 (grouped-query attention), Shazeer 2020 (SwiGLU).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalharness.transformer.attention import Attention, AttentionKind
from evalharness.transformer.config import TransformerConfig


class Transformer(nn.Module):
    """Tokens in, hidden states out; `logits` turns those hidden states that matter into scores."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.width)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.layers))
        self.norm = RootMeanSquareNorm(config)
        self.output = nn.Linear(config.width, config.vocabulary_size, bias=False)

    def forward(self, tokens: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        """tokens, positions (B, T) -> (B, T, W); `attention` says which tokens see which."""
        hidden = self.embedding(tokens)  # (B, T, W)
        rotation = rotary_angles(positions, self.config, hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, rotation, attention)
        return self.norm(hidden)  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., W) -> (..., V) in float32, so that a softmax over it is exact enough."""
        return self.output(hidden).float()  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention, then a feed-forward network, each added to the residual stream."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        self.attention_norm = RootMeanSquareNorm(config)
        self.attention = SelfAttention(config, index)
        self.feed_forward_norm = RootMeanSquareNorm(config)
        self.feed_forward = FeedForward(config)

    def forward(
        self, hidden: Tensor, rotation: tuple[Tensor, Tensor], attention: Attention
    ) -> Tensor:
        hidden = hidden + self.attention(self.attention_norm(hidden), rotation, attention)
        return hidden + self.feed_forward(self.feed_forward_norm(hidden))  # type: ignore[no-any-return]


class RootMeanSquareNorm(nn.Module):
    """Divides by the root mean square, computed in float32 whatever the dtype."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.width))
        self.epsilon = config.norm_epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        exact = hidden.float()
        scale = torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.epsilon)
        return self.weight * (exact * scale).to(hidden.dtype)


class SelfAttention(nn.Module):
    """Grouped-query attention: H query heads share G key/value heads."""

    def __init__(self, config: TransformerConfig, index: int) -> None:
        super().__init__()
        self.index = index
        self.kind = AttentionKind(scale=config.head_width**-0.5)
        self.head_width = config.head_width
        queries, keys = config.heads * config.head_width, config.key_value_heads * config.head_width
        self.query = nn.Linear(config.width, queries, bias=False)
        self.key = nn.Linear(config.width, keys, bias=False)
        self.value = nn.Linear(config.width, keys, bias=False)
        self.output = nn.Linear(queries, config.width, bias=False)

    def forward(
        self, hidden: Tensor, rotation: tuple[Tensor, Tensor], attention: Attention
    ) -> Tensor:
        queries = rotate(self._heads(self.query(hidden)), rotation)  # (B, H, T, D)
        keys = rotate(self._heads(self.key(hidden)), rotation)  # (B, G, T, D)
        values = self._heads(self.value(hidden))  # (B, G, T, D)
        mixed = attention.attend(self.index, self.kind, queries, keys, values)  # (B, H, T, D)
        return self.output(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _heads(self, joined: Tensor) -> Tensor:
        """(B, T, heads * D) -> (B, heads, T, D)."""
        return joined.view(*joined.shape[:2], -1, self.head_width).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU: a gate decides how much of each of F features passes."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.feed_forward_width, bias=False)
        self.up = nn.Linear(config.width, config.feed_forward_width, bias=False)
        self.down = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(hidden)) * self.up(hidden))  # type: ignore[no-any-return]


def rotary_angles(
    positions: Tensor, config: TransformerConfig, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosine and sine (B, 1, T, D) of each position's angles, computed in float32."""
    exponents = torch.arange(0, config.head_width, 2, device=positions.device).float()
    frequencies = 1.0 / config.rope_base ** (exponents / config.head_width)  # (D / 2,)
    angles = positions[..., None].float() * frequencies  # (B, T, D / 2)
    angles = torch.cat((angles, angles), dim=-1)[:, None]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(heads: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair (i, i + D/2) of (B, heads, T, D) by its position's angle."""
    cosine, sine = rotation
    first, second = heads.chunk(2, dim=-1)
    return heads * cosine + torch.cat((-second, first), dim=-1) * sine
