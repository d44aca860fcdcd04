"""Models in one compressed file: some arrays and a description; written all or nothing, read without running code."""

from __future__ import annotations

import json
import operator
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["pretrained_path", "read_model", "write_model"]


def pretrained_path(name: str, command: str) -> Path:
    """Return where the package carries a model.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    command : str
        What trains the model.

    Raises
    ------
    FileNotFoundError
        If it is not there; the message says how to make it.

    Examples
    --------
    >>> pretrained_path("segmenter", "make pretrain-segmenter").name
    'segmenter.npz'
    """
    path = Path(__file__).parent / "pretrained" / f"{name}.npz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there; train it with `{command}`, or name a file")
    return path


def write_model(path: str | Path, version: int, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model; what was at `path` before stays until the new file is complete.

    Parameters
    ----------
    path : str or Path
    version : int
        Of the format, to be checked by :func:`read_model`.
    meta : mapping
        Whatever JSON can hold, and integers of NumPy.
    arrays : mapping of str to ndarray
        By any name but "meta" and "file".

    Raises
    ------
    ValueError
        If an array holds Python objects or has one of these names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_model(f"{folder}/model.npz", 1, {"units": 2}, {"weights": np.eye(2)})
    ...     meta, arrays = read_model(f"{folder}/model.npz", 1, "toy")
    >>> meta["units"], arrays["weights"].shape
    (2, (2, 2))
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may write the same file
    unreadable = [name for name, array in arrays.items() if np.asarray(array).dtype.hasobject]
    if unreadable or not {"meta", "file"}.isdisjoint(arrays):
        raise ValueError(
            f"arrays {unreadable or sorted(arrays)} cannot be stored: no objects, and no name 'meta' or 'file'"
        )
    described = np.array(json.dumps({**meta, "format": version}, default=operator.index))
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, meta=described, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_model(path: str | Path, version: int, what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what :func:`write_model` wrote.

    Parameters
    ----------
    path : str or Path
    version : int
        The format that the caller understands.
    what : str
        What the file should hold, for messages.

    Returns
    -------
    meta : dict
    arrays : dict of str to ndarray

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a model's file, is cut short, or has another format.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        found = meta.pop("format")
    # A file that is one bare array has no `files`; JSON that is no object has no `pop`.
    except (
        AttributeError,
        KeyError,
        EOFError,
        ValueError,
        TypeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{path} is not a complete {what} file ({error}); make or fetch it again") from error
    if found != version:
        raise ValueError(
            f"{path} has format {found!r}, this version of kexue_nlp reads format {version}; "
            "save it again with this version, or install the version that wrote it"
        )
    return meta, arrays
