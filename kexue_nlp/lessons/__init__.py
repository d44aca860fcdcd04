"""What only one lesson needs, its explorer and its exercises, in a folder of its own; and what all of them ask."""

__all__ = ["is_full"]


def is_full(profile: str) -> bool:
    """Return whether a lesson is to run at the scale of the article, and not on a laptop within two minutes.

    Raises
    ------
    ValueError
        If the profile is neither ``"quick"`` nor ``"full"``.
    """
    if profile not in ("quick", "full"):
        raise ValueError(f'PROFILE must be "quick" or "full", not {profile!r}')
    return profile == "full"
