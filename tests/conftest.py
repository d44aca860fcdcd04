"""Settings that every test shares."""

import os
import re

import pytest

import kexue_nlp  # noqa: F401  (before any test imports Keras: it chooses the backend)

# Figures are drawn into memory, also where a desktop could show them (macOS would open windows).
os.environ.setdefault("MPLBACKEND", "Agg")

collect_ignore = ["lesson_template.ipynb"]  # tests run it themselves


LONGEST_ID = 100


def pytest_make_parametrize_id(val, argname):
    """Give long texts and names of classes and functions short ids: pytest would put all of them into the test's."""
    if isinstance(val, str | bytes):
        return f"{argname}{len(val)}" if len(ascii(val)) > 18 else None
    name = getattr(val, "__name__", "")
    return re.sub(r"([A-Za-z][a-z]{3})[a-z]+", r"\1", name) if len(name) > 20 else None


def pytest_collection_modifyitems(items):
    """Refuse tests whose ids nobody can read or type."""
    long = sorted({item.nodeid[:LONGEST_ID] for item in items if len(item.nodeid) > LONGEST_ID})
    if long:
        raise pytest.UsageError(f"ids of tests over {LONGEST_ID} characters; give ids:\n" + "\n".join(long))


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
