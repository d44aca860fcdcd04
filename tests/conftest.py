"""Settings that every test shares."""

import os

import pytest

import kexue_nlp  # noqa: F401  (before any test imports Keras: it chooses the backend)

# Figures are drawn into memory, also where a desktop could show them (macOS would open windows).
os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["lesson_template.ipynb"]  # tests run it themselves


def pytest_make_parametrize_id(val, argname):
    """Give a long text a short id: pytest would put all of it into the name of the test."""
    return f"{argname}-{len(val)}-characters" if isinstance(val, str | bytes) and len(ascii(val)) > 24 else None


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    """Keep a test away from the user's data and cache and from the network."""
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "cache")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("KEXUE_NLP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KEXUE_NLP_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def no_explorer_errors():
    """Start and leave with an empty list of what callbacks of explorers raised."""
    from kexue_nlp.widgets import errors

    errors.clear()
    yield
    errors.clear()
