"""Row-wise quantization of embeddings: one fp16 scale per row, symmetric levels (Guan et al., arXiv:1911.02079)."""

from __future__ import annotations

import torch

SHRINKS = (1.0, 0.9, 0.8, 0.7)
"""Candidate clipping points as shares of the largest magnitude: at 4 bits, clipping outliers halves the error."""


def levels(bits: int) -> int:
    """Largest code: 127 at 8 bits, 7 at 4 bits."""
    return int(2 ** (bits - 1) - 1)


def row_scales(rows: torch.Tensor, bits: int) -> torch.Tensor:
    """Scale per row (n, 1) of float `rows` (n, d), fp16-representable, > 0, of least squared error among `SHRINKS`."""
    top = levels(bits)
    # fp16's smallest normal number: an all-zero row must not divide by zero
    full = rows.abs().amax(dim=1, keepdim=True).clamp_min(top * 6.2e-5)
    best_scale, best_error = torch.empty_like(full), torch.full_like(full, float("inf"))
    for shrink in SHRINKS if bits < 8 else SHRINKS[:1]:
        scale = (full * (shrink / top)).to(torch.float16).to(rows.dtype).clamp_min(6.2e-5)
        error = (rows - codes(rows, scale, bits) * scale).square().sum(dim=1, keepdim=True)
        better = error < best_error
        best_scale, best_error = torch.where(better, scale, best_scale), torch.where(better, error, best_error)
    return best_scale


def codes(rows: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """Integer codes of `rows` as floats, in [-levels, levels]."""
    top = levels(bits)
    return torch.round(rows / scales).clamp_(-top, top)


def fake_quantize_rows(rows: torch.Tensor, bits: int) -> torch.Tensor:
    """Rows (n, d) as the exported table will return them; the gradient passes straight through."""
    with torch.no_grad():
        scales = row_scales(rows, bits)
        error = codes(rows, scales, bits) * scales - rows
    return rows + error
