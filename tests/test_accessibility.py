"""Explorers and figures for everybody: contrast, colours that stay apart, names of controls.

Contrast is that of the Web Content Accessibility Guidelines 2.2 (1.4.3 and 1.4.11). Colour vision is simulated as by
Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency",
IEEE Transactions on Visualization and Computer Graphics 15, at full severity.
"""

import ast
import re
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
from matplotlib import colors
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from kexue_nlp import figures, widgets
from kexue_nlp.figures import BLUE, FAINT, GREEN, GREY, ORANGE, VERMILION

TEXT, GRAPHICS = 4.5, 3.0  # least contrasts
INK = (0, 0, 0, 0.87)  # JupyterLab's --jp-ui-font-color1 on its light ground

PALETTE = (BLUE, ORANGE, GREEN, VERMILION, GREY, FAINT)

# What is told apart by colour, though not by colour alone, in explorers and figures.
PAIRS = {
    "positive or negative, probability or path": (BLUE, ORANGE),
    "positive: active or switched off": (BLUE, GREY),
    "negative: active or switched off": (ORANGE, GREY),
    "loss or gradient": (BLUE, VERMILION),
    "neighbours of the same class or another": (GREEN, VERMILION),
    "probability or what a dictionary adds": (BLUE, GREEN),
    "connections of winners or of others": (BLUE, FAINT),
    "connections that one tag depends on or others": (VERMILION, FAINT),
}
VISION = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# The least distance in CIELAB of colours that stand for different things. One of 2.3 is just noticeable (Mahy, Van
# Eycken and Oosterlinck 1994); small marks that do not touch need several of these.
APART = 15
# Linear sRGB to XYZ, by IEC 61966-2-1.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

# Every function that returns a figure, with arguments for those that need some.
ARGUMENTS = {
    "dots": {"cells": {"one": "88.3 ± 0.3", "another": "91.2"}, "label": "accuracy, %"},
    "emission_heatmap": {"text": "的" * 16, "probabilities": np.linspace(0, 1, 64).reshape(16, 4)},
}
FIGURES = [
    n for n in figures.__all__ if getattr(getattr(figures, n), "__annotations__", {}).get("return") is figures.Figure
]
LIGHT = {path.stem: path for path in sorted((Path(__file__).parent / "browser" / "light").glob("*.py"))}


def blend(colour, ground="white"):
    """Return opaque RGB of a colour on a ground."""
    *rgb, alpha = colors.to_rgba(colour)
    return alpha * np.array(rgb) + (1 - alpha) * np.array(colors.to_rgb(ground))


def linear(rgb):
    rgb = np.asarray(rgb)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(colour, ground="white"):
    luminances = (XYZ[1] @ linear(blend(part, ground)) for part in (colour, ground))
    low, high = sorted(luminances)
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    """Return CIELAB of linear sRGB."""
    xyz = XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, other, vision):
    one, other = (lab(np.array(VISION[vision]) @ linear(colors.to_rgb(part))) for part in (one, other))
    return np.linalg.norm(one - other)


def test_contrast_and_colour_vision_are_those_of_the_literature():
    assert (contrast("black"), contrast("white")) == pytest.approx((21, 1))
    assert distance("#c80000", "#6e6400", "usual") > 4 * distance("#c80000", "#6e6400", "protanopia")


def test_colours_of_the_palette_are_seen_on_white():
    assert [colour for colour in PALETTE if contrast(colour) < GRAPHICS] == []


@pytest.mark.parametrize("vision", VISION)
def test_colours_are_told_apart(vision):
    assert [use for use, pair in PAIRS.items() if distance(*pair, vision) < APART] == []


@pytest.mark.parametrize("name", FIGURES)
def test_text_in_figures_is_legible(name):
    figure = getattr(figures, name)(**ARGUMENTS.get(name, {}))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # lays out, once
    figure.set_layout_engine("none")
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    places = [text.get_window_extent().extents.round().astype(int) for text in texts]
    for text in texts:
        text.set_alpha(0)  # still takes its place, and shows its ground
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3] / 255
    faint, seen = [], 0
    for text, (x0, y0, x1, y1) in zip(texts, places, strict=True):
        box = pixels[y0:y1, x0:x1].reshape(-1, 3)
        if not box.size:  # a tick beyond the end of its axis has a label that is not drawn
            continue
        seen += 1
        ratio = contrast(text.get_color(), np.median(box, axis=0))
        if ratio < TEXT:
            faint.append(f"{text.get_text()}: {ratio:.2f}")
    assert seen
    assert faint == []


PASSIVE = (ipywidgets.HTML, ipywidgets.HTMLMath, ipywidgets.Label)


@pytest.fixture(scope="module", params=LIGHT)
def explorer(request):
    """The explorer of a light notebook, which is the value of its cell."""
    *statements, last = ast.parse(LIGHT[request.param].read_text("utf-8")).body
    names = {}
    exec(compile(ast.Module(statements, []), request.param, "exec"), names)
    return eval(compile(ast.Expression(last.value), request.param, "eval"), names)


def style(explorer):
    return re.match(r"<style>(.*?)</style>", explorer._repr_mimebundle_()["text/html"], re.DOTALL)[1]


def rules(explorer):
    """Yield the declarations of every CSS rule of an explorer."""
    for block in re.findall(r"\{([^{}]*)\}", style(explorer)):
        yield dict(re.findall(r"([\w-]+):\s*([^;]+)", block))


def hexes(text):
    return re.findall(r"#(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{6})\b", text)


def controls(widget):
    children = [below for child in getattr(widget, "children", ()) for below in controls(child)]
    reacts = isinstance(widget, (ipywidgets.ValueWidget, ipywidgets.Button, ipywidgets.Tab))
    return [widget] * (reacts and not isinstance(widget, PASSIVE)) + children


def name(control):
    """Return what a control is called by a screen reader, or at least on hovering."""
    if isinstance(control, ipywidgets.Tab):
        return all(control.get_title(i) for i in range(len(control.children)))
    return control.description or control.tooltip or getattr(control, "placeholder", "")


def test_every_explorer_has_a_light_notebook():
    made = "".join(path.read_text("utf-8") for path in LIGHT.values())
    assert [name for name in widgets.__all__ if name.endswith("Explorer") and f"\n{name}(" not in made] == []


def test_explorers_use_the_palette_and_name_their_controls(explorer):
    used = {colour[:7].lower() for colour in hexes(style(explorer) + explorer.static_html())}
    assert used
    assert used <= {colour.lower() for colour in PALETTE}
    found = controls(explorer)
    assert found
    assert [control for control in found if not name(control)] == []


def test_text_and_borders_of_explorers_are_seen(explorer):
    faint = []
    for rule in rules(explorer):
        ink = rule.get("color", "inherit")
        ink = INK if ink == "inherit" else ink
        faint += [rule for ground in hexes(rule.get("background", "")) if contrast(ink, blend(ground)) < TEXT]
        borders = [colour for key, value in rule.items() if key.startswith("border") for colour in hexes(value)]
        faint += [rule for colour in borders if contrast(colour) < GRAPHICS]
    assert faint == []
