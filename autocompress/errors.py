"""The error a person can mend: one line that names the key, what is allowed and the nearest match."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. `str(error)` is one line; the command line prints it without a traceback and exits with status 2."""

    exit_status = 2


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the entry of `allowed` closest to `word`, or "" when none is close.

    Case does not count, and a word that an entry starts with is close to it ("ads" to "ads_simulator").
    """
    spelt = {entry.lower(): entry for entry in allowed}
    close = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.6)
    close = close or [entry for entry in spelt if len(word) > 1 and entry.startswith(word.lower())]
    return f" (did you mean '{spelt[close[0]]}'?)" if close else ""


def not_allowed(subject: str, word: str, allowed: Iterable[str]) -> UserError:
    """Return the error for a `word` that is not among `allowed`; `subject` says what it is, such as "data=adz"."""
    entries = sorted(allowed)
    listed = f"allowed: {', '.join(entries)}" if entries else "nothing is allowed here"
    return UserError(f"{subject}; {listed}{nearest(word, entries)}")
