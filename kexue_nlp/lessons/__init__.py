"""What only one lesson needs, its explorer and its exercises, in a folder of its own; and what all of them ask."""

import ctypes
import gc
import sys

__all__ = ["free_memory", "is_full"]


def free_memory() -> None:
    """Give memory of networks that are done with back to the system; those still in use compile again.

    A lesson makes many small networks. JAX keeps each one's compiled programs, and the C library keeps what JAX frees:
    together several hundred megabytes.
    """
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    gc.collect()
    if sys.platform == "linux":
        getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # a C library other than glibc has none


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
