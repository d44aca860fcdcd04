"""Handwritten digits, for seeing what a hash code keeps of a picture: the 8×8 digits, and MNIST."""

import zipfile
import zlib
from dataclasses import dataclass, field

import numpy as np

from kexue_nlp.datasets._files import DATA_SETS, check_choice

MNIST = DATA_SETS["mnist"]


@dataclass(frozen=True, eq=False)
class ImageData:
    """Grey pictures as rows of numbers, with their classes, and where they come from on what terms.

    Each row of `pixels`, float32 (N, D), is one picture; 0 is paper, 1 the darkest ink. `labels`, int64 (N,), are the
    digits, and `shape` is height and width: ``pixels[i].reshape(shape)`` is a picture.
    """

    pixels: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    shape: tuple[int, int]
    source: str
    licence: str
    citation: str


def load_images(source: str = "sample") -> ImageData:
    """Load handwritten digits.

    The source ``"sample"`` needs no network: the 1,797 digits of 8×8 pixels that come with scikit-learn. ``"full"`` is
    MNIST: 70,000 digits of 28×28 pixels, the 60,000 training pictures first and the 10,000 test pictures after them.
    Its pixels take 220 MB. `DatasetUnavailable` says what to do where it is neither here nor downloadable.

    Examples
    --------
    >>> digits = load_images()
    >>> digits.pixels.shape, digits.shape
    ((1797, 64), (8, 8))
    """
    check_choice("source", source, ("sample", "full"))
    return _load_digits() if source == "sample" else _load_mnist()


def retrieval_split(labels: np.ndarray, per_class: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw as many queries from each class; all other items are the database to search in.

    `labels`, shape (N,), are the classes of the items; each must have more than `per_class`, at least 1, or there is a
    ValueError. BioHash's evaluation takes 100 of MNIST; 20 suit the 8×8 digits. Returns the indices of both, int64,
    ascending.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels must have one dimension, got shape {labels.shape}")
    if per_class < 1:
        raise ValueError(f"per_class must be at least 1, got {per_class}")
    rng = np.random.default_rng(seed)
    is_query = np.zeros(len(labels), dtype=bool)
    classes, sizes = np.unique(labels, return_counts=True)
    for name, size in zip(classes.tolist(), sizes.tolist(), strict=True):
        if size <= per_class:
            raise ValueError(f"class {name!r} has {size} items; {per_class} queries of it leave none in the database")
        is_query[rng.choice(np.flatnonzero(labels == name), per_class, replace=False)] = True
    return np.flatnonzero(is_query), np.flatnonzero(~is_query)


def _load_digits() -> ImageData:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return ImageData(
        pixels=(digits.data / 16).astype("float32"),  # each value counts the inked ones of 4×4 finer pixels
        labels=digits.target.astype("int64"),
        shape=(8, 8),
        source="the test part of Optical Recognition of Handwritten Digits (sklearn.datasets.load_digits)",
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
        citation="Alpaydin, E. & Kaynak, C. (1998). Cascading Classifiers. Kybernetika 34(4), 369–374.",
    )


def _load_mnist() -> ImageData:
    path = MNIST.find("mnist/mnist.npz")
    remedy = "replace the file by the mnist.npz that Keras distributes"
    # Asked first, for what is no archive NumPy would take for a pickle, and say so.
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a whole .npz archive; {remedy}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            parts = [(archive[f"x_{part}"], archive[f"y_{part}"]) for part in ("train", "test")]
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}; {remedy}") from error
    for images, labels in parts:
        if images.shape[1:] != (28, 28) or images.dtype != np.uint8:
            raise ValueError(f"{path}: pictures are {images.dtype} of shape {images.shape}, not 28×28 uint8; {remedy}")
        if labels.shape != (len(images),) or labels.dtype != np.uint8 or (labels > 9).any():
            found = f"{labels.dtype} of shape {labels.shape}"
            raise ValueError(f"{path}: labels ({found}) are not uint8 digits for {len(images)} pictures; {remedy}")
    # Divided in place: a second copy as floats would take another 220 MB.
    pixels = np.concatenate([images.reshape(len(images), -1) for images, _ in parts], dtype=np.float32)
    pixels /= 255
    return ImageData(
        pixels=pixels,
        labels=np.concatenate([labels for _, labels in parts]).astype(np.int64),
        shape=(28, 28),
        **MNIST.terms,
    )
