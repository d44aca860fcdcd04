"""The margin explorer alone in a page: who is active is Python's answer, the line moves, and dots can be read."""

import numpy as np
import pytest
from test_views import HOSTILE, page, show, trait  # noqa: F401

from kexue_nlp.lessons.margin.explorer import is_active
from kexue_nlp.widgets import MarginExplorer, Training

N, EPOCHS = 200, 3


@pytest.fixture(scope="module")
def explorer():
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    spread = [1 / (1 + np.exp(-(2 * labels - 1) * push + rng.normal(size=(EPOCHS, N)))) for push in (3, 0.5)]
    trainings = {HOSTILE: Training(spread[0], [0.7, 0.8, 0.9]), "margin": Training(spread[1], [0.6, 0.75, 0.85], 0.6)}
    return MarginExplorer([f"review {i} {HOSTILE}" for i in range(N - 1)] + ["murder"], labels, trainings)


def put(page, name, value):  # noqa: F811
    page.evaluate("([name, value]) => window.models[0].set(name, value)", [name, value])


def test_the_page_counts_as_python_does(page, explorer):  # noqa: F811
    page.emulate_media(reduced_motion="reduce")
    show(page, explorer.view)
    for margin, epoch in ((0.6, 3), (0.51, 1), (0.99, 2), (0.73, 3), (0.6, 1)):
        put(page, "epoch", epoch)
        put(page, "margin", margin)
        assert f"epoch {epoch} of 3" in page.locator(".kx-player").inner_text()
        for head, (name, run) in zip(page.locator(".kx-head").all(), explorer.trainings.items(), strict=True):
            active = is_active(explorer.labels, np.float32(run.predictions), margin)
            now, caught = active[epoch - 1], active[epoch - 1] & ~active[epoch - 2] if epoch > 1 else active[0] & False
            praise, blame = (int((now & (explorer.labels == label)).sum()) for label in (1, 0))
            assert (
                head.inner_text().split()
                == (
                    f"{name} {now.sum()} of 200 not yet right by {margin:.2f}: {praise} positive, {blame} negative; "
                    f"{caught.sum()} slipped back; test accuracy {run.test_accuracy[epoch - 1]:.1%}"
                ).split()
            )
    assert (page.locator("img").count(), page.title()) == (0, "")


def test_the_line_is_dragged_and_a_dot_is_read(page, explorer):  # noqa: F811
    page.set_viewport_size({"width": 760, "height": 900})
    page.emulate_media(reduced_motion="reduce")
    show(page, explorer.view)
    put(page, "epoch", 3)
    box = page.locator(".kx-lane").nth(1).bounding_box()

    def x(q):
        return box["x"] + 14 + q * (box["width"] - 28)

    page.mouse.move(x(0.6), box["y"] + 10)
    page.mouse.down()
    for q, margin in ((0.7, 0.7), (2, 0.99), (0.2, 0.51), (0.8, 0.8)):
        page.mouse.move(x(q), box["y"] + 10)
        assert trait(page, "margin") == pytest.approx(margin)
    page.mouse.up()
    rows = page.locator(".kexue-reviews tr")
    reading = page.locator(".kx-reading")
    assert rows.count() == 5
    assert "Point at a dot" in reading.inner_text()
    p = explorer.trainings["margin"].predictions[2]
    sure = np.where(explorer.labels == 1, p, 1 - p)
    right = [float(row.locator("td").nth(1).inner_text()) for row in rows.all()[1:]]
    off, on = np.sort(sure[:-1][sure[:-1] > 0.8])[:2], np.sort(sure[:-1][sure[:-1] <= 0.8])[::-1][:2]
    np.testing.assert_allclose(right, [*off, *on], atol=1e-4)
    far = int(sure.argmin())  # to the left of all others
    half = 92 / 2
    y = (1 if explorer.labels[far] else half + 2) + (far * 0.618034 % 1) * (half - 3)
    page.mouse.move(x(sure[far]), box["y"] + y)
    assert f"review {far} {HOSTILE}" in reading.inner_text()
    page.mouse.move(x(0.02), box["y"] + 40)  # no dot
    assert "Point at a dot" in reading.inner_text()
    page.mouse.click(x(sure[far]), box["y"] + y)
    page.mouse.move(x(0.02), box["y"] + 40)
    others = explorer.trainings[HOSTILE].predictions[2]
    other = others[far] if explorer.labels[far] else 1 - others[far]
    found = f"{HOSTILE} {other:.4f} · margin {sure[far]:.4f}"
    label = ("negative", "positive")[explorer.labels[far]]
    assert reading.inner_text().split("\n") == [
        f"Label: {label}. Probability of it: {found}",
        f"review {far} {HOSTILE}",
    ]
    assert page.locator(".kx-chosen").count() == 2  # in every lane
    put(page, "review", -1)  # as `reset` does
    assert page.locator(".kx-chosen").count() == 0
    last = N - 1  # it is not for a class
    y = (1 if explorer.labels[last] else half + 2) + (last * 0.618034 % 1) * (half - 3)
    page.mouse.click(x(sure[last]), box["y"] + y)
    assert "not for a class" in reading.inner_text()
    page.mouse.click(x(0.02), box["y"] + 40)
    assert trait(page, "review") == -1
    assert page.locator(".kx-trained").count() == 1  # one network has a margin of its own
    assert page.evaluate("document.documentElement.scrollWidth") <= 760


def test_it_plays_through_the_epochs(page, explorer):  # noqa: F811
    show(page, explorer.view)
    put(page, "epoch", 3)
    page.get_by_role("button", name="train").click()
    page.wait_for_function("window.models[0].get('epoch') === 1")
    page.wait_for_function("window.models[0].get('epoch') === 3")
    page.get_by_role("button", name="train").wait_for()  # it has stopped


def test_dots_have_their_colours_and_arrive(page):  # noqa: F811
    # One review lies right by the margin, the others not yet; the last one has been.
    q = np.array([[0.2, 0.3, 0.4, 0.9], [0.8, 0.3, 0.4, 0.5]])
    labels = np.array([1, 1, 0, 1])
    run = Training(np.where(labels == 1, q, 1 - q), [0.5, 0.5])
    page.set_viewport_size({"width": 528, "height": 600})  # 484 pixels for the axis
    show(page, MarginExplorer(["a"] * 4, labels, {"one": run}).view)
    place = "([i, q]) => { window.models[0].set('epoch', i); window.places = () => [...document.querySelectorAll"
    place += "('.kx-listed')].map((ring) => Math.round(ring.getAttribute('cx'))).sort((a, b) => a - b); }"
    page.evaluate(place, [2, 0])
    page.evaluate("window.models[0].set('epoch', 1)")  # before the first move has ended
    page.evaluate("window.models[0].set('epoch', 2)")
    width = page.locator(".kx-dots").evaluate("canvas => canvas.getBoundingClientRect().width")

    def x(share):
        return round(14 + share * (width - 28))

    arrived = [x(q[1, i]) for i in (2, 3, 0)]  # all: on its way one may pass where another is to stop
    page.wait_for_function("(places) => window.places().join() === places.join()", arg=arrived)
    colour = "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)"

    def drawn(i):
        y = (1 if labels[i] else 48) + (i * 0.618034 % 1) * 43
        return page.locator(".kx-dots").evaluate(colour, [x(q[1, i]), round(y)])

    grey, blue, orange, purple = (drawn(i) for i in range(4))
    assert max(grey) - min(grey) < 20
    assert blue[2] > blue[0] + 100
    assert orange[0] > orange[2] + 100
    assert purple[0] > purple[1] + 50 < purple[2] + 50
    page.set_viewport_size({"width": 800, "height": 600})
    page.wait_for_function("([w]) => document.querySelector('.kx-dots').width > w", arg=[width])
