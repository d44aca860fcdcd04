"""Models that live in one file: saved all or nothing, read without running code, pickled, and safe to share."""

import io
import json
import operator
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

__all__ = ["SavedModel", "check_process", "exclusive", "network_parts", "predict", "restore_network"]

_PRETRAINED = Path(__file__).parent / "pretrained"

_network_made = False  # whether a network has been made or run in this process
_forked_behind_it = False  # or before, in the process of which this one is a fork


def _set_locks() -> None:
    """Make the locks; a fork needs new ones, since a thread that is not in it may hold those of its parent."""
    global _one_at_a_time, _unpacking
    _one_at_a_time = threading.RLock()  # Keras runs or trains one network at a time, which uses all cores
    _unpacking = threading.RLock()


def _after_fork() -> None:
    global _forked_behind_it
    jax = sys.modules.get("jax._src.xla_bridge")  # somebody else may have run a network of their own
    _forked_behind_it |= _network_made or bool(jax and getattr(jax, "_backends", None))
    _set_locks()


_set_locks()
if hasattr(os, "register_at_fork"):  # not where there are no forks
    os.register_at_fork(after_in_child=_after_fork)


def check_process() -> None:
    """Refuse, by RuntimeError, to make or run a network in a process that was forked from one that already had."""
    global _network_made
    if _forked_behind_it:
        raise RuntimeError(
            "this process was forked from one that had a network, and would wait for its threads without end. Start "
            "workers with multiprocessing.get_context('spawn') or joblib's loky instead of fork, or load the model "
            "in the worker and not before in the parent"
        )
    _network_made = True


def predict(network: Any, inputs: Any) -> Any:
    """Run a Keras network on one batch, an array or list of arrays, in any thread."""
    with exclusive():
        return network.predict_on_batch(inputs)


def exclusive() -> threading.RLock:
    """Return the lock under which networks run and train; a forked process is refused as by :func:`check_process`."""
    check_process()
    return _one_at_a_time


def network_parts(network: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a Keras network apart into a description and its weights, but not how it was trained."""
    import keras

    check_process()
    description = keras.saving.serialize_keras_object(network)
    # Losses and optimizers of the user's own could not be read back.
    description.pop("compile_config", None)
    return description, {f"weight_{i}": keras.ops.convert_to_numpy(w.value) for i, w in enumerate(network.weights)}


def restore_network(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    """Put a Keras network together from what :func:`network_parts` gave; no code in the description is run."""
    import keras

    check_process()
    network = keras.saving.deserialize_keras_object(description, safe_mode=True)
    network.set_weights([arrays[f"weight_{i}"].astype(np.float32) for i in range(len(arrays))])
    return network


class SavedModel:
    """Base of models that are saved to one file and travel between processes.

    A subclass says what it is made of in `_parts`, makes itself anew in `_from_parts`, and sets the three class
    attributes. Pickles and copies hold the same as files, at full precision.
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

        A `dtype` of "float16" rounds the weights for a smaller file; any but the two raises ValueError.
        """
        if dtype not in ("float32", "float16"):
            raise ValueError(f"dtype must be 'float32' or 'float16', got {dtype!r}")
        meta, arrays = self._parts()
        self._write(path, meta, {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()})

    def _write(self, path: str | Path, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        path = Path(path)
        # Another process or thread may write the same file.
        partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
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

        FileNotFoundError if the file is not there; ValueError if it is not such a model's, is damaged, or was written
        by another version.
        """
        if path == "pretrained":
            name, command = cls._pretrained
            path = _PRETRAINED / f"{name}.npz"
            if not path.exists():
                raise FileNotFoundError(f"{path} is not there; train it with `{command}`, or name a file")
        with open(path, "rb") as stream:
            try:
                with np.load(stream, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                meta = json.loads(str(arrays.pop("meta")))
                found = meta.pop("format")
            except Exception as error:  # a changed byte can lead zipfile, zlib, NumPy and json astray in many ways
                raise ValueError(
                    f"{path} is not a complete {cls._kind} file ({error}); make or fetch it again"
                ) from error
        if found != cls._format:
            raise ValueError(
                f"{path} has format {found!r}, this version of kexue_nlp reads format {cls._format}; "
                "save it again with this version, or install the version that wrote it"
            )
        try:
            return cls._from_parts(meta, arrays)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"the parts in {path} do not fit together as a {cls._kind}"
            raise ValueError(f"{what} ({error}); make or fetch it again") from error

    # Pickling, copying, joblib: the model travels packed, and whoever touches an attribute first unpacks it, so that a
    # worker process that cannot run it says so instead of dying.
    _packed: tuple[str, bytes] | None = None

    def __getstate__(self) -> dict[str, Any]:
        if packed := self._packed:
            return {"_packed": packed}
        meta, arrays = self._parts()
        np.savez(buffer := io.BytesIO(), **arrays)
        return {"_packed": (json.dumps(meta, default=operator.index), buffer.getvalue())}

    def _unpack(self) -> None:
        with _unpacking:
            if self._packed:
                meta, stored = self._packed
                with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                    self.__dict__.update(vars(self._from_parts(json.loads(meta), dict(arrays))))
                del self.__dict__["_packed"]

    def __getattr__(self, name: str) -> Any:
        # Python comes here for what it does not find: anything at all of a packed model.
        if not name.startswith(("__", "_repr_", "_ipython_")):  # which Python and Jupyter only try
            self._unpack()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if self._packed:
            self._unpack()  # which would overwrite the value later
        super().__setattr__(name, value)
