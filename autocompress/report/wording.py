"""Numbers in the words and the widths that people read; a KB is 1,000 bytes everywhere."""

from __future__ import annotations


def kilobytes(count: int) -> str:
    """`412` or `1,234`; below 10 KB one decimal, because a tenth matters there."""
    value = count / 1000
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def size(count: float) -> str:
    """A number of bytes with its unit: `640 B`, `412 KB`, `15.7 MB`."""
    if count < 1000:
        return f"{count:.0f} B"
    for scale, unit in ((1e3, "KB"), (1e6, "MB")):
        value = count / scale
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{count / 1e9:,.1f} GB"


def times(ratio: float) -> str:
    """`0.9x`, `2.9x`, `38x`."""
    return f"{ratio:.1f}x" if ratio < 99.95 else f"{ratio:,.0f}x"


def quality(value: float) -> str:
    """Four decimals: ties of the search are .0002."""
    return f"{value:.4f}"


def change(value: float) -> str:
    """Signed, four decimals, and never `-0.0000`."""
    text = f"{value:+.4f}"
    return "0.0000" if text in ("-0.0000", "+0.0000") else text


def milliseconds(value: float) -> str:
    """Three figures: `0.041`, `1.23`, `12.3`, `123`."""
    if value < 1:
        return f"{value:.3f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 14 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def metric_title(metric: str) -> str:
    """`auc` -> `AUC`, `log_loss` -> `log loss`, `ndcg@10` -> `NDCG@10`."""
    return metric.replace("_", " ").replace("auc", "AUC").replace("ndcg", "NDCG")
