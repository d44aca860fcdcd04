"""Draw the pictures of lesson 03 that the documentation shows: its explorer, still and moving.

    python benchmarks/pictures.py        # docs/03_word_segmentation.png and .webp; needs Chromium and playwright

They are screenshots of the explorer's view, alone in a page as in tests/browser/test_views.py.
"""

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from kexue_nlp.segmenter import Segmenter
from kexue_nlp.widgets import SegmentationExplorer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODEL = (ROOT / "tests" / "browser" / "model.js").read_text("utf-8")
MULTIPLIERS = (1, 2, 4, 8, 14, 18, 30, 60)  # of 微信号, up to where it is whole and beyond
SIZE = {"width": 720, "height": 900}


def main() -> None:
    explorer = SegmentationExplorer(Segmenter.load("closed"), step=0)
    state = {name: value for name, value in explorer.view.get_state().items() if name != "layout"}
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.set_content('<!doctype html><body style="background: white">')
        page.add_script_tag(content=MODEL)
        page.evaluate("state => window.show(state, true)", state)
        # What moves: the trellis fills up and is followed back; then the fader is pulled up, and the cut snaps.
        frames, lasts = [], []
        columns = len(explorer.view.sentences[0]["text"])
        for step in range(2 * columns + 1):
            page.evaluate("step => window.models[0].set('step', step)", step)
            frames.append(frame(page))
            lasts.append(1200 if step == 2 * columns else 220)
        for multiplier in MULTIPLIERS:
            page.evaluate("m => window.models[0].set('lexicon', { 微信号: m })", multiplier)
            frames.append(frame(page))
            lasts.append(350)
        page.screenshot(path=DOCS / "03_word_segmentation.png")
        browser.close()
    lasts[-1] = 2500
    options = {"save_all": True, "append_images": frames[1:], "duration": lasts, "loop": 0, "quality": 40}
    frames[0].save(DOCS / "03_word_segmentation.webp", minimize_size=True, method=6, **options)
    still = Image.open(DOCS / "03_word_segmentation.png")
    still.quantize(64).save(DOCS / "03_word_segmentation.png", optimize=True)  # small enough for git


def frame(page) -> Image.Image:
    """Photograph the page down to the end of the trellis, smaller."""
    clip = {"x": 0, "y": 0, "width": SIZE["width"], "height": 590}
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip)))
    return picture.convert("RGB").resize((600, 492))


if __name__ == "__main__":
    main()
