"""How many examples of a law are tried."""

from __future__ import annotations

from hypothesis import settings


def examples(most: int) -> int:
    """For laws that are dear to try: so many new ones in `make chaos`, half as many in each `make test`.

    The latter tries the same ones again and again.
    """
    return most if settings.get_current_profile_name() == "new" else most // 2
