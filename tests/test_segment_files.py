"""Files cut into words by `kexue-nlp segment`: what they look like, what survives an interruption, what is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kexue_nlp import cli, segment_files
from kexue_nlp.segmenter import Segmenter

COMMAND = [sys.executable, "-m", "kexue_nlp", "segment"]
LINES = ["南京市长江大桥欢迎您", "", " 今天\u3000天气 很 好。", "空\0字", "扫描二维码，关注微信号！"] * 3
WORDS = [" ".join(word for word in words if word.strip()) for words in Segmenter.load()(LINES)]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder and return what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    return lambda *arguments, status=0: (
        (cli.main(["segment", *arguments]) == status and capsys.readouterr().err) or 1 / 0
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encoding_mark_and_line_ends_stay_in_files_and_streams(run, encoding):
    data, expected = (("\r\n".join(lines) + "\nb").encode(encoding) for lines in (LINES, WORDS))
    Path("in").write_bytes(data)
    run("in", "out")
    assert Path("out").read_bytes() == subprocess.check_output([*COMMAND, "-", "-"], input=data) == expected


def test_lines_that_cannot_be_decoded_are_told_and_empty(run):
    Path("in").write_bytes(b"\n".join([*map(str.encode, LINES), *[b"\xe5\xff"] * 12, b""]))
    *told, summary = run("in", "out").splitlines()
    assert Path("out").read_text("utf-8") == "\n".join([*WORDS, *[""] * 13])
    assert told == [f"in, line {number}: not UTF-8, written as an empty line" for number in range(16, 26)]
    assert summary == "files cut: 1; lines that could not be decoded: 12"


def test_huge_line_is_cut_like_its_sentences(run):
    Path("in").write_text(LINES[0] * 20_000 + "。" + f"{LINES[0]}。" * 20_000 + " " * 200_000, "utf-8")
    run("in", "out")
    one, *rest = Path("out").read_text("utf-8").split(" 。")
    assert one.replace(" ", "") == LINES[0] * 20_000
    assert rest == [f" {WORDS[0]}"] * 20_000 + [""]


def test_unfinished_file_is_finished_and_a_complete_one_left_alone(run):
    Path("in").write_text("\n".join(LINES), "utf-8-sig")
    complete = "\n".join(WORDS).encode("utf-8-sig")
    for length in (0, 2, 3, *range(10, len(complete), 37), len(complete)):
        Path("out").unlink(missing_ok=True)
        Path("out.part").write_bytes(complete[:length])
        run("in", "out")
        assert Path("out").read_bytes() == complete
    assert run("in", "out") == "files cut: 0, 1 complete already and left alone\n"
    assert sorted(os.listdir()) == ["in", "out"]


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_stopped_run_ends_its_workers_and_is_resumed(run, signal_name):
    Path("in").write_text("\n".join(LINES * 1000), "utf-8")
    process = psutil.Popen([*COMMAND, "in", "out", "--workers", "2"], stderr=subprocess.PIPE)
    while not (Path("out.part").exists() and Path("out.part").stat().st_size):
        time.sleep(0.01)
    workers = process.children(recursive=True)
    process.send_signal(getattr(signal, signal_name))
    said = process.communicate()[1]
    assert (len(workers) >= 2, psutil.wait_procs(workers, timeout=10)[1], Path("out").exists()) == (True, [], False)
    assert signal_name != "SIGINT" or (process.returncode, said) == (130, b"kexue-nlp: interrupted\n")
    run("in", "out")
    assert Path("out").read_text("utf-8") == "\n".join(WORDS * 1000)


def test_workers_cut_a_folder_like_one_process_with_a_lexicon(run):
    Path("in/a/b").mkdir(parents=True)
    for name, lines in {"a/b/one": LINES, "a/two": LINES * 300, "empty": []}.items():
        Path("in", name).write_text("\n".join(lines), "utf-8")
    Path("words").write_text("长江大桥,always", "utf-8")
    for number in "12":
        assert run("in", number, "--workers", number, "--lexicon", "words") == "files cut: 3\n"
        expected = "\n".join(WORDS).replace("长江 大桥", "长江大桥")
        assert [Path(number, name).read_text("utf-8") for name in ("a/b/one", "empty")] == [expected, ""]
    assert Path("1/a/two").read_bytes() == Path("2/a/two").read_bytes() != b""


def die(texts):
    os._exit(3)


def test_what_cannot_be_is_refused_with_a_reason(run, monkeypatch):
    Path("in/deep/empty").mkdir(parents=True)
    for name, text in {"in/a": "一", "a": "二", "words": "微信号 0.5"}.items():
        Path(name).write_text(text, "utf-8")
    for arguments, reason in {
        ("in", "in/deep/out"): "in/deep/out lies in in",
        ("in", "a", "out"): "out/a would be written twice",
        ("a", "a"): "a would be written twice, or is an input",
        ("in/deep", "out"): "no file in in/deep",
        ("nonesuch", "out"): "nonesuch: No such file",
        ("a", "-"): "segment - -",
        ("a", "out", "--workers", "0"): "greater than 0",
        ("a", "out", "--lexicon", "words"): "微信号 0.5",
    }.items():
        assert reason in run(*arguments, status=1)
    monkeypatch.setattr(segment_files, "_cut", die)
    assert "a worker died" in run("a", "out", "--workers", "2", status=1)
    assert not Path("out").exists()
