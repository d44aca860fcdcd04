"""Models that live in one file: saved all or nothing, read without running code, pickled, and safe to share.

A model is a description that JSON can hold and some arrays. :class:`SavedModel` makes files, pickles and copies of the
two; :func:`predict` is the one place where a network is run.
"""

from __future__ import annotations

import io
import json
import operator
import os
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

__all__ = ["SavedModel", "check_process", "network_parts", "predict", "restore_network"]

_PRETRAINED = Path(__file__).parent / "pretrained"

# Keras models are not made for concurrent calls: one at a time, each of which uses all cores.
_one_at_a_time = threading.Lock()
_unpacking = threading.RLock()
_process_of_networks: int | None = None  # the process in which a network was first made or run


def check_process() -> None:
    """Refuse to go on in a process that was forked from one in which networks have been made or run.

    The threads of the compiled code do not come along into a fork, so a network would wait for them without end.

    Raises
    ------
    RuntimeError
        If this process is such a fork; the message says what works instead.
    """
    global _process_of_networks
    if _process_of_networks is None:
        _process_of_networks = os.getpid()
    elif _process_of_networks != os.getpid():
        raise RuntimeError(
            "this process was forked from one that had already run a network, and would wait for its threads without "
            "end. Start workers with multiprocessing.get_context('spawn') or joblib's loky instead of fork, or load "
            "the model in the worker and not before in the parent"
        )


def predict(network: Any, inputs: Any) -> Any:
    """Run a network on one batch, safely whatever thread or process asks.

    Parameters
    ----------
    network : keras.Model
    inputs : ndarray or list of ndarray

    Returns
    -------
    ndarray or list of ndarray

    Raises
    ------
    RuntimeError
        In a forked process; see :func:`check_process`.
    """
    check_process()
    with _one_at_a_time:
        outputs = network.predict_on_batch(inputs)
    return [np.asarray(output) for output in outputs] if isinstance(outputs, list | tuple) else np.asarray(outputs)


def network_parts(network: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a Keras network apart into a description and its weights; :func:`restore_network` puts it together."""
    import keras

    weights = {f"weight_{i}": weight for i, weight in enumerate(network.get_weights())}
    return keras.saving.serialize_keras_object(network), weights


def restore_network(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """Make a Keras network from what :func:`network_parts` gave; no code in the description is run."""
    import keras

    check_process()
    network = keras.saving.deserialize_keras_object(description, safe_mode=True)
    network.set_weights([arrays[f"weight_{i}"].astype(np.float32) for i in range(len(arrays))])
    return network


class SavedModel:
    """Base of models that are saved to one file and travel between processes.

    A subclass says what it is made of in `_parts`, makes itself anew in `_from_parts`, and sets the three class
    attributes. Pickles hold the same as files, at full precision. What was unpickled is put together when it is first
    used, so that a worker process that cannot run it says so instead of dying.
    """

    _kind: ClassVar[str]  # "segmenter": in messages
    _format: ClassVar[int] = 1  # of the files; raise it when `load` can no longer read the old ones
    _pretrained: ClassVar[tuple[str, str]]  # name of the file that the package carries, and what makes it

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return a description that JSON can hold and the arrays, by any name but "meta" and "file"."""
        raise NotImplementedError

    @classmethod
    def _from_parts(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        raise NotImplementedError

    def save(self, path: str | Path, dtype: str = "float32") -> None:
        """Write the model to one file; what was there before stays until the new file is complete.

        Parameters
        ----------
        path : str or Path
        dtype : {"float32", "float16"}
            Precision of the stored weights; half precision makes a smaller file and rounds them.

        Raises
        ------
        ValueError
            If `dtype` is not one of these.
        """
        if dtype not in ("float32", "float16"):
            raise ValueError(f"dtype must be 'float32' or 'float16', got {dtype!r}")
        meta, arrays = self._parts()
        arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
        self._write(path, meta, arrays)

    def _write(self, path: str | Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        path = Path(path)
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may write the same file
        described = np.array(json.dumps({**meta, "format": self._format}, default=operator.index))
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, meta=described, **arrays)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path = "pretrained") -> Self:
        """Read a model that :meth:`save` wrote, or the one that comes with the package. No code in it is run.

        Parameters
        ----------
        path : str or Path
            A file, or ``"pretrained"``.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not such a model's file, is cut short, or was written by another version.
        """
        if path == "pretrained":
            name, command = cls._pretrained
            path = _PRETRAINED / f"{name}.npz"
            if not path.exists():
                raise FileNotFoundError(f"{path} is not there; train it with `{command}`, or name a file")
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            meta = json.loads(str(arrays.pop("meta")))
            found = meta.pop("format")
        # A file that is one bare array has no `files`; JSON that is no object has no `pop`.
        except (AttributeError, KeyError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is not a complete {cls._kind} file ({error}); make or fetch it again") from error
        if found != cls._format:
            raise ValueError(
                f"{path} has format {found!r}, this version of kexue_nlp reads format {cls._format}; "
                "save it again with this version, or install the version that wrote it"
            )
        try:
            return cls._from_parts(meta, arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"the parts in {path} do not fit together as a {cls._kind} ({error}); make or fetch it again"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        if "_packed" in self.__dict__:
            return {"_packed": self.__dict__["_packed"]}
        meta, arrays = self._parts()
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return {"_packed": (json.dumps(meta, default=operator.index), buffer.getvalue())}

    def __getattr__(self, name: str) -> Any:
        # Only what is missing comes here: anything at all of a model that was unpickled and not used yet.
        if "_packed" not in self.__dict__ or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with _unpacking:
            if packed := self.__dict__.get("_packed"):
                meta, stored = packed
                with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                    self.__dict__.update(vars(self._from_parts(json.loads(meta), dict(arrays))))
                del self.__dict__["_packed"]
        return getattr(self, name)
