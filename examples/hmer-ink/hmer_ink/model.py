"""The network: dilated convolutions over the pen's path, trained with CTC.

Convolutions alone: they are quick on a CPU as on a GPU, and there is no state to carry from point to point.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import ModelConfig
from .features import FEATURES
from .tokens import BLANK

_SUBSAMPLING = 4
_KERNEL = 5


def _mask(lengths: Tensor, size: int) -> Tensor:
    return (torch.arange(size, device=lengths.device)[None, :] < lengths[:, None])[:, None, :].float()


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each point, so that padding and neighbours don't matter."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise (B, C, T)."""
        centred = inputs - inputs.mean(1, keepdim=True)
        return centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5) * self.weight + self.bias


class Block(nn.Module):
    """Residual block: one dilated and one pointwise convolution."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.wide = nn.Conv1d(channels, channels, _KERNEL, padding=dilation * (_KERNEL // 2), dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T); what `mask` hides reaches no other point."""
        hidden = functional.gelu(self.wide(self.norm(inputs) * mask))
        return inputs + self.dropout(self.mix(hidden))


class Recognizer(nn.Module):
    """Features of the points (B, F, T) to log-probabilities of tokens (T/4, B, classes)."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        half = max(1, config.channels // 2)
        self.stem = nn.ModuleList(
            [
                nn.Conv1d(FEATURES, half, _KERNEL, stride=2, padding=2),
                nn.Conv1d(half, config.channels, _KERNEL, stride=2, padding=2),
            ]
        )
        self.blocks = nn.ModuleList(Block(config.channels, 2 ** (i % 4), config.dropout) for i in range(config.blocks))
        self.norm = ChannelNorm(config.channels)
        self.head = nn.Conv1d(config.channels, classes, 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities and their lengths."""
        hidden = inputs
        for layer in self.stem:
            lengths = (lengths + 1).div(2, rounding_mode="floor")
            hidden = functional.gelu(layer(hidden))
            hidden = hidden * _mask(lengths, hidden.shape[2])
        mask = _mask(lengths, hidden.shape[2])
        for block in self.blocks:
            hidden = block(hidden, mask)
        return self.head(self.norm(hidden)).log_softmax(1).permute(2, 0, 1), lengths


def ctc_loss(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Mean over the batch of the loss per expected token; ink too short for its label counts nothing."""
    losses = functional.ctc_loss(
        log_probs, targets, lengths, target_lengths, BLANK, reduction="none", zero_infinity=True
    )
    return (losses / target_lengths.clamp(min=1)).mean()


def decode(log_probs: Tensor, lengths: Tensor) -> list[list[int]]:
    """Best path of each expression: repetitions joined, blanks left out."""
    best = log_probs.argmax(2).T.cpu().tolist()
    result: list[list[int]] = []
    for path, length in zip(best, lengths.tolist()):
        path = path[:length]
        result.append([now for before, now in zip([BLANK, *path], path) if now not in (BLANK, before)])
    return result
