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
    """Run the command in an empty folder, see how it ends and return what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    return lambda *arguments, status=0: (cli.main(["segment", *arguments]) - status or capsys.readouterr()).err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encoding_and_line_ends_stay_wherever_a_run_stopped(run, encoding):
    data, expected = (("\r\n".join(lines) + "\nb").encode(encoding) for lines in (LINES, WORDS))
    Path("in").write_bytes(data)
    for length in (0, 2, 50, 104, len(expected)):
        Path("out").unlink(missing_ok=True)
        Path("out.part").write_bytes(expected[:length])
        run("in", "out")
        assert Path("out").read_bytes() == expected
    assert "complete already: 1" in run("in", "out")
    assert sorted(os.listdir()) == ["in", "out"]
    assert subprocess.check_output([*COMMAND, "-", "-"], input=data) == expected


def test_lines_that_cannot_be_decoded_are_told_and_empty_and_huge_ones_cut(run):
    data = "\n".join([*LINES, "长江" * 90_000, "扫描二维码。" * 30_000 + " " * 200_000]).encode()
    Path("in").write_bytes(data + b"\n\xe5\xff" * 12)
    *told, summary = run("in", "out").splitlines()
    *lines, one, many = Path("out").read_text("utf-8").removesuffix("\n" * 12).split("\n")
    assert (lines, one.replace(" ", "")) == (WORDS, "长江" * 90_000)
    assert many == " ".join(["扫描 二维码 。"] * 30_000)
    assert told == [f"in, line {number}: not UTF-8, written as an empty line" for number in range(18, 28)]
    assert summary.endswith("cannot be decoded: 12")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("stop", ["SIGKILL", "SIGINT"])
def test_workers_cut_a_folder_and_go_on_after_a_stop(run, stop):
    Path("in/deep/er").mkdir(parents=True)
    for name, times in {"1": 1, "2": 8000, "deep/er/3": 1}.items():
        Path("in", name).write_text("\n".join(LINES * times), "utf-8")
    Path("words").write_text("长江大桥,always", "utf-8")
    command = [*COMMAND, "in", "out", "--workers", "2", "--lexicon", "words"]
    process = psutil.Popen(command, stderr=subprocess.PIPE)
    while process.poll() is None and not any(p.stat().st_size for p in Path(".").glob("out/2.*.part")):
        time.sleep(0.01)
    workers = process.children(recursive=True)
    process.send_signal(getattr(signal, stop))
    said = process.communicate(timeout=60)[1]
    assert stop != "SIGINT" or (process.returncode, said) == (
        130,
        b"kexue-nlp: the same command goes on from here\nkexue-nlp: interrupted\n",
    )
    assert (len(workers) > 1, psutil.wait_procs(workers, timeout=10)[1], Path("out/2").exists()) == (True, [], False)
    assert b"files cut: 2, complete already: 1" in subprocess.run(command, stderr=subprocess.PIPE).stderr
    for name, times in {"1": 1, "2": 8000, "deep/er/3": 1}.items():
        assert Path("out", name).read_text("utf-8") == "\n".join(WORDS * times).replace("长江 大桥", "长江大桥")


def test_nothing_old_is_gone_on_with(run):
    Path("in").write_text("长江大桥\n长江大桥\n", "utf-8")
    Path("words").write_text("长江大桥", "utf-8")
    Path("out.part").write_text("of another file\n", "utf-8")
    os.utime("out.part", (1, 1))
    run("in", "out")
    assert Path("out").read_text("utf-8") == "长江 大桥\n长江 大桥\n"
    os.utime("out", (1, 1))
    Path("out.part").write_text("without a lexicon\n", "utf-8")
    run("in", "out", "--lexicon", "words", "--default", "always")
    assert Path("out").read_text("utf-8") == "长江大桥\n长江大桥\n"
    Path("words").write_text("长江大桥,never", "utf-8")
    os.utime("out", (1, 1))
    assert "files cut: 1" in run("in", "out", "--lexicon", "words")


def die(texts):
    os._exit(3)


def test_what_cannot_be_is_refused_with_a_reason(run, monkeypatch):
    Path("in/deep").mkdir(parents=True)
    for name, text in {"in/a": "一", "a": "二", "words": "微信号 0.5"}.items():
        Path(name).write_text(text, "utf-8")
    for arguments, reason in {
        "in in/deep/out": "in/deep/out lies in in",
        "in a out": "out/a would be written twice",
        "a a": "a would be written twice, or is an input",
        "in/deep out": "no file in in/deep",
        "nonesuch out": "nonesuch: No such file",
        "a -": "segment - -",
        "a out --workers 0": "--workers must be at least 1, got 0",
        "a out --lexicon words": "微信号 0.5",
    }.items():
        assert reason in run(*arguments.split(), status=1)
    monkeypatch.setattr(segment_files, "_cut", die)
    assert "a worker died" in run("a", "out", "--workers", "2", status=1)
