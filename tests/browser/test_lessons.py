"""Every lesson in a real browser: it runs, its explorer answers to mouse and keyboard, and soon enough."""

import json
import os
import statistics
import time
from functools import partial
from pathlib import Path

from playwright.sync_api import TimeoutError

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "latency.json"
HOSTILE = "<img src=x onerror=\"document.title='injected'\">"

# Times from an event to the first change of the picture, taken inside the page: a question from outside would
# take longer than the answer.
STOPWATCH = """
(picture) => {
  window.kexueTimes = [];
  let start = null;
  for (const event of ["keydown", "pointerdown", "mousedown"])
    document.addEventListener(event, () => { start = performance.now(); }, true);
  new MutationObserver(() => {
    if (start !== null) { window.kexueTimes.push(performance.now() - start); start = null; }
  }).observe(picture, { childList: true, subtree: true, characterData: true });
}
"""


def changes(lesson, act, seconds=5.0) -> bool:
    """Whether the picture or the message is another one after an act."""

    def shown():
        return lesson.explorer.evaluate(
            "e => [...e.querySelectorAll('.kexue-picture, .kexue-message')].map(part => part.innerHTML).join()"
        )

    before = shown()
    act()
    end = time.monotonic() + seconds
    while time.monotonic() < end and shown() == before:
        time.sleep(0.05)
    assert_no_exception(lesson)
    return shown() != before


def assert_no_exception(lesson):
    assert "This should not have happened" not in lesson.explorer.inner_text()


def tabs(lesson) -> range:
    """Numbers of an explorer's tabs; one that has none is like one tab."""
    return range(max(1, lesson.explorer.get_by_role("tab").count()))


def reset(lesson, tab=0):
    lesson.explorer.get_by_role("button", name="reset").first.click()
    if tab:
        lesson.explorer.get_by_role("tab").nth(tab).click()
    lesson.page.wait_for_timeout(300)


def visible(controls):
    return [control for control in controls.all() if control.is_visible() and control.is_enabled()]


def test_it_runs_without_an_error(lesson):
    errors = [output for output in lesson.outputs if output["output_type"] == "error"]
    complaints = [output["text"] for output in lesson.outputs if output.get("name") == "stderr"]
    broken = lesson.page.locator("text=/Error displaying widget|Error creating widget/").all_inner_texts()
    assert (errors, complaints, broken, lesson.problems) == ([], [], [], [])


def press(lesson, control, key):
    control.focus()
    lesson.page.keyboard.press(key)


def drag(lesson, slider, distance):
    box = slider.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lesson.page.mouse.move(x, y)
    lesson.page.mouse.down()
    lesson.page.mouse.move(x + distance, y, steps=8)
    lesson.page.mouse.up()


def test_every_slider_answers_to_keyboard_and_mouse(lesson):
    for tab in tabs(lesson):
        reset(lesson, tab)
        sliders = visible(lesson.explorer.get_by_role("slider"))
        assert sliders
        for i, slider in enumerate(sliders):
            for move, ways in ((press, ("ArrowLeft", "ArrowRight", "Home", "End")), (drag, (-150, 150))):
                reset(lesson, tab)
                moved = (changes(lesson, partial(move, lesson, slider, way), 2) for way in ways)
                assert any(moved), f"slider {i}, tab {tab} of {lesson.name}: {move.__name__}"
    reset(lesson)


def test_every_choice_changes_what_is_shown(lesson):
    for group in lesson.explorer.locator(".widget-toggle-buttons").all():
        buttons = visible(group.get_by_role("button"))
        chosen = next(i for i, button in enumerate(buttons) if "mod-active" in button.get_attribute("class"))
        for button in [*buttons[chosen + 1 :], *buttons[: chosen + 1]]:
            assert changes(lesson, button.click), f"{button.inner_text()} of {lesson.name}"
    reset(lesson)
    for select in visible(lesson.explorer.locator("select")):
        n = select.locator("option").count()
        if n > 1:
            assert changes(lesson, lambda select=select: select.select_option(index=1)), (
                f"choice of {lesson.name}"
            )
    reset(lesson)


def test_what_is_typed_stays_text(lesson):
    boxes = visible(lesson.explorer.locator("textarea, input[type=text]:not([readonly])"))
    for box in boxes:
        reset(lesson)
        box.fill(HOSTILE)
        box.press("Tab")
        lesson.page.wait_for_timeout(500)
        assert lesson.explorer.locator("img[src=x]").count() == 0
        assert lesson.page.title() != "injected"
        assert_no_exception(lesson)
    reset(lesson)


def test_a_move_is_seen_soon(lesson):
    reset(lesson)
    lesson.picture.evaluate(STOPWATCH)
    slider = visible(lesson.explorer.get_by_role("slider"))[0]
    slider.focus()
    lesson.page.keyboard.press("Home")
    lesson.page.wait_for_timeout(500)
    lesson.page.evaluate("window.kexueTimes.length = 0")
    key = "ArrowRight"
    for _ in range(20):
        n = lesson.page.evaluate("window.kexueTimes.length")
        place = slider.get_attribute("aria-valuenow")
        lesson.page.keyboard.press(key)
        try:
            lesson.page.wait_for_function(f"window.kexueTimes.length > {n}", timeout=2000)
        except TimeoutError:  # the slider moves, but the picture is the same here; or it is at its end
            if slider.get_attribute("aria-valuenow") == place:
                key = "ArrowLeft"
        lesson.page.wait_for_timeout(50)
    times = lesson.page.evaluate("window.kexueTimes")
    assert len(times) >= 10, f"only {len(times)} of 20 moves changed the picture of {lesson.name}"
    record = {
        "median_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
        "moves": len(times),
    }
    print(lesson.name, record)
    if os.environ.get("KEXUE_NLP_RECORD"):
        known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**known, lesson.name: record}, indent=2) + "\n", encoding="utf-8")
    # The aim is 60 ms; what is failed is only what nobody would call soon, for machines are busy at times.
    assert record["median_ms"] < 250, record


def test_nothing_was_logged_on_the_way(lesson):
    assert lesson.problems == []
