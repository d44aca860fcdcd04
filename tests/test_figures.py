import base64
import io
import logging
import unicodedata
import warnings
from pathlib import Path

import IPython.display
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from PIL import Image

from kexue_nlp import figures
from kexue_nlp.datasets import load_segmentation

ROOT = Path(__file__).parents[1]
SENTENCE = "扫描二维码，关注微信号。"


def draw(fig, kind="png"):
    page = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fig.savefig(page, format=kind)
    return page.getvalue()


def probabilities(length):
    return np.random.default_rng(0).dirichlet(np.ones(4), length)


@pytest.fixture
def only_our_fonts(monkeypatch):
    # As on a machine whose only fonts are those that Matplotlib brings.
    bundled = [e for e in font_manager.fontManager.ttflist if Path(mpl.get_data_path()) in Path(e.fname).parents]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bundled)
    with mpl.rc_context({"font.family": ["sans-serif"]}):
        figures.use_chinese_font()
        yield
    font_manager.fontManager._findfont_cached.cache_clear()


@pytest.mark.usefixtures("only_our_fonts")
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_chinese_is_drawn_where_no_chinese_font_is_installed(kind, caplog):
    fig = figures.emission_heatmap(SENTENCE, probabilities(len(SENTENCE)))
    fig.text(0.5, 0.5, "分词 bold", weight="bold")
    with caplog.at_level(logging.WARNING):
        draw(fig, kind)
    assert caplog.messages == []
    with pytest.raises(UserWarning, match="Glyph"):  # a missing one would be noticed
        draw(figures.emission_heatmap("\U00020000", probabilities(1)), kind)


def test_asking_again_for_the_font_changes_nothing_unless_the_style_has_changed():
    assert Path(font_manager.findfont(font_manager.FontProperties())).name == "DejaVuSans.ttf"  # for Latin text
    before = list(mpl.rcParams["font.family"]), len(font_manager.fontManager.ttflist)
    figures.use_chinese_font()
    assert (mpl.rcParams["font.family"], len(font_manager.fontManager.ttflist)) == before
    with mpl.rc_context({"font.family": ["serif"]}):
        figures.use_chinese_font()
        assert mpl.rcParams["font.family"][:2] == ["serif", "Kexue Sans SC"]


def test_the_font_has_every_chinese_character_that_we_write():
    sample = load_segmentation("sample")
    where = ("notebooks/*.ipynb", "kexue_nlp/**/*.py", "kexue_nlp/**/*.json", "po/**/*.po")
    texts = [path.read_text("utf-8") for pattern in where for path in ROOT.glob(pattern)]
    characters = set(str(sample.train + sample.heldout)).union(*texts)
    chinese = {c for c in characters if unicodedata.name(c, "").startswith("CJK UNIFIED")}
    missing = chinese - set(map(chr, FT2Font(figures._FONT).get_charmap()))
    assert not missing, "run benchmarks/make_font.py"


def test_the_font_travels_with_its_licence_and_under_its_own_name():
    licence = (figures._FONT.parent / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    assert FT2Font(figures._FONT).family_name == "Kexue Sans SC"


@pytest.fixture
def displayed(monkeypatch):
    calls = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **options: calls.append((data, options)))
    return calls


ALL_FIGURES = {
    "heat map": lambda: figures.emission_heatmap(SENTENCE, probabilities(12), path=[1, 3] * 6),
    **{name: getattr(figures, name) for name in figures.__all__ if name.endswith("_diagram")},
}


@pytest.mark.parametrize("name", ALL_FIGURES)
def test_a_figure_is_a_small_png_with_its_description(name, displayed):
    fig = ALL_FIGURES[name]()
    assert plt.get_fignums() == []  # pyplot does not know it
    figures.show(fig)
    data, options = displayed[0]
    png = base64.b64decode(data["image/png"])
    assert Image.open(io.BytesIO(png)).format == "PNG"
    assert len(png) < 60_000
    assert data["text/plain"] == options["metadata"]["image/png"]["alt"] == fig.alt
    assert fig.alt.endswith(".")
    assert draw(ALL_FIGURES[name]()) == draw(ALL_FIGURES[name]())


def test_a_chart_of_a_lesson_is_shown_with_the_description_it_is_given_and_closed(displayed):
    fig, _ = plt.subplots()
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(fig)
    figures.show(fig, "an empty chart")
    assert displayed[0][0]["text/plain"] == "an empty chart"
    assert not plt.fignum_exists(fig.number)


def test_dots_stand_where_the_cells_say_with_their_intervals():
    fig, axes = plt.subplots(2)
    figures.dots({"always neutral": "38.5 ± 1.8", "article's tagger": "45.6"}, "F1, %", axes[0])
    figures.dots(pd.Series({"margin": "-0.71 [-1.30, +0.13]"}), "points", axes[1])
    drawn = [[line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "o"] for ax in axes]
    assert drawn == [[[[38.5, 0]], [[45.6, 1]]], [[[-0.71, 0]]]]
    bars = [[bar.get_segments()[0][:, 0].tolist() for bar in ax.collections] for ax in axes]
    np.testing.assert_allclose(np.ravel(bars[0]), [36.7, 40.3, 45.6, 45.6])
    np.testing.assert_allclose(np.ravel(bars[1]), [-1.30, 0.13])
    assert [line.get_xdata() for line in axes[1].lines][-1] == [0, 0]  # where differences begin to count
    assert [axes[1].texts[0].get_text(), axes[0].lines[0].get_color()] == ["−0.71", figures.GREY]
    assert fig.alt == "F1, %: always neutral 38.5 ± 1.8; article's tagger 45.6. points: margin -0.71 [-1.30, +0.13]."
    plt.close(fig)


def test_the_heat_map_labels_columns_colours_cells_and_frames_the_path():
    fig, p = Figure(), probabilities(3)
    ax = fig.subplots()
    assert figures.emission_heatmap("微 信", p, path=[1, 2, 3], ax=ax) is fig
    assert [label.get_text() for label in ax.get_xticklabels()] == ["微", "␣", "信"]
    assert figures.visible("a b\n\x00\x1b\ud83d\u202e\u2066c") == "a␣b↵" + "\ufffd" * 5 + "c"
    np.testing.assert_array_equal(np.ravel(ax.collections[0].get_array()), p.T.ravel())
    assert [tuple(np.floor(patch.get_xy()).astype(int)) for patch in ax.patches] == [(0, 1), (1, 2), (2, 3)]


def test_a_short_heat_map_has_numbers_and_unfit_arguments_are_refused():
    for length, numbers in ((16, 64), (17, 0)):
        assert len(figures.emission_heatmap("字" * length, probabilities(length)).axes[0].texts) == numbers
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(3, 4\)"):
        figures.emission_heatmap("微信", probabilities(3))
    with pytest.raises(ValueError, match="same first dimension"):
        figures.emission_heatmap("微信", probabilities(2), path=[0, 0, 0])
