"""Quantization of embeddings with symmetric levels: a fp16 scale per row (Guan et al., arXiv:1911.02079) or per field.

At dimension 4 and 4 bits a row's scale is as large as its codes; one scale per field halves such a table and saves a
lookup, at the price of coarser small rows.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from autocompress.models.learned_step import rounded

ZERO = {4: 8.0, 2: 1.5}
"""What is added to a packed code, so that none is negative."""
SMALLEST = 2.0**-14
"""fp16's smallest normal number: the scale of an all-zero row, which must not divide by zero."""
SHRINKS = (1.0, 0.9, 0.8, 0.7)
"""Candidate clipping points as shares of the largest magnitude: at 4 bits, clipping outliers halves the error."""


LOOKED_AT = 4_096
"""Rows of a table by which the scale of all of them is chosen."""
FIELD_SHRINKS = tuple(1.2**-power for power in range(14))
"""Candidates for a whole field, down to a twelfth: the largest row of a table says little about the others."""


def levels(bits: int) -> float:
    """Largest code: 127 at 8 bits, 7 at 4, and 1.5 at 2 bits, where a code of zero would leave one of four unused."""
    return 1.5 if bits == 2 else 2.0 ** (bits - 1) - 1


def row_scales(rows: torch.Tensor, bits: int) -> torch.Tensor:
    """Scale per row (n, 1) of float `rows` (n, d), fp16-representable, > 0, of least squared error among `SHRINKS`."""
    top = levels(bits)
    full = rows.abs().amax(dim=1, keepdim=True).clamp_min(top * SMALLEST)
    best_scale, best_error = torch.empty_like(full), torch.full_like(full, float("inf"))
    for shrink in SHRINKS if bits < 8 else SHRINKS[:1]:
        scale = (full * (shrink / top)).to(torch.float16).to(rows.dtype).clamp_min(SMALLEST)
        error = (rows - codes(rows, scale, bits) * scale).square().sum(dim=1, keepdim=True)
        better = error < best_error
        best_scale, best_error = torch.where(better, scale, best_scale), torch.where(better, error, best_error)
    return best_scale


def field_scale(rows: torch.Tensor, weights: torch.Tensor, bits: int) -> float:
    """Scale of a whole table (n, d) of least squared error weighted by `weights` (n,), such as training frequency.

    Of more than `LOOKED_AT` rows the errors of the heaviest half of them count, and those of as many of the others,
    evenly, each for all that are left out beside it.
    """
    top = levels(bits)
    full = float(rows.abs().max().clamp_min(top * SMALLEST))
    if len(rows) > LOOKED_AT:
        order = weights.argsort(descending=True, stable=True)
        head, rest = order[: LOOKED_AT // 2], order[LOOKED_AT // 2 :]
        tail = rest[:: math.ceil(len(rest) / (LOOKED_AT // 2))]
        shares = torch.cat([weights[head], weights[tail] * (weights[rest].sum() / weights[tail].sum())])
        rows, weights = rows[torch.cat([head, tail])], shares
    scales = full / top * torch.tensor(FIELD_SHRINKS)[:, None, None]
    wrong = torch.addcmul(rows, codes(rows, scales, bits), scales, value=-1.0).square_()
    return float(scales[int((wrong.sum(dim=2) @ weights).argmin())])


def codes(rows: torch.Tensor, scales: torch.Tensor, bits: int) -> torch.Tensor:
    """Codes of `rows` as floats, in [-levels, levels], one apart."""
    top = levels(bits)
    found = rows / scales
    return (found.floor_().add_(0.5) if bits == 2 else found.round_()).clamp_(-top, top)


def pack(values: torch.Tensor, bits: int) -> NDArray[np.int8] | NDArray[np.uint8]:
    """Codes (rows, d) of `bits` bits as they are stored: int8 (rows, d) at 8, else uint8 (rows, ceil(d bits / 8)).

    A byte holds 8 / bits codes, each plus `ZERO`: the first part of a row in the lowest bits of all its bytes, the next
    part in the next bits. A row is padded to whole bytes.
    """
    if bits == 8:
        whole: NDArray[np.int8] = values.to(torch.int8).numpy()
        return whole
    parts = 8 // bits
    padded = np.pad(values.numpy(), ((0, 0), (0, -values.shape[1] % parts))) + ZERO[bits]
    packed = np.zeros((len(padded), padded.shape[1] // parts), dtype=np.uint8)
    for part, codes_of_part in enumerate(np.split(padded.astype(np.uint8), parts, axis=1)):
        packed |= codes_of_part << np.uint8(part * bits)
    return packed


def fake_quantize_rows(rows: torch.Tensor, bits: int) -> torch.Tensor:
    """Rows (n, d) as a table with a scale per row will return them; the gradient passes straight through."""
    with torch.no_grad():
        scales = row_scales(rows, bits)
        error = codes(rows, scales, bits) * scales - rows
    return rows + error


def quantize_to_step(rows: torch.Tensor, step: torch.Tensor, bits: int) -> torch.Tensor:
    """Rows (..., d) as a table with one `step` (broadcast) for all its rows will return them; the step is trained."""
    top = levels(bits)
    return rounded(rows, step, -top, top, _to_level if bits == 2 else torch.round)


def _to_level(values: torch.Tensor) -> torch.Tensor:
    return values.floor() + 0.5
