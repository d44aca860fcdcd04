import ipywidgets
import numpy as np
import pytest

from kexue_nlp.lessons.segmentation.kernel import slide
from kexue_nlp.widgets import Bet, SlidingKernel
from kexue_nlp.widgets.base import Explorer
from kexue_nlp.widgets.view import View


class Small(Explorer):
    def __init__(self):
        super().__init__()
        self.view = SlidingKernel()
        self.lay_out(ipywidgets.HBox([self.view]))


def test_explorer_is_one_line_with_a_static_picture_and_closes_all_in_it():
    explorer = Small()
    assert repr(ipywidgets.HBox([explorer, explorer.view])) == "HBox(children=(<Small>, <SlidingKernel>))"
    (page,) = (child for child in explorer.children if isinstance(child, View))
    assert (page.shows, explorer.view.shows) == (explorer.model_id, explorer.view.model_id)
    assert set(explorer.view._repr_mimebundle_()) == set(explorer._repr_mimebundle_()) >= {"text/html", "text/plain"}
    inside = [explorer, explorer.view, *explorer.children]
    explorer.close()
    assert {one.comm for one in inside} == {None}


def test_view_must_end_in_its_export(tmp_path):
    (tmp_path / "view.js").write_text("export default { render };\nfunction render() {}", encoding="utf-8")
    with pytest.raises(ValueError, match="last line"):
        View.script(tmp_path / "view.js")


def test_font_is_lent_to_a_page_that_asks(monkeypatch):
    sent = []
    monkeypatch.setattr(View, "send", lambda view, content, buffers: sent.append((content, buffers[0][:4])))
    for wanted in ("weather", "font"):
        SlidingKernel()._handle_custom_msg({"kexue": wanted}, [])
    assert sent == [({"kexue": "font"}, b"OTTO")]


def test_bet_folds_its_answer_and_shows_text_as_text():
    before, _, folded = Bet("<b>?", ["one", "<i>"], 1, "the reason").static_html().partition("<details>")
    assert [text in before for text in ("&lt;b&gt;?", "<b>?", "reason")] == [True, False, False]
    assert "“&lt;i&gt;”. the reason" in folded


def test_kernel_scores_are_those_of_a_convolution():
    assert slide(SlidingKernel().vectors, SlidingKernel().kernel).tolist() == [1, 3, 4, 5]
    one, kernel = (np.random.default_rng(n).normal(size=(n, 1)) for n in (9, 5))
    np.testing.assert_allclose(slide(one, kernel), np.convolve(one[:, 0], kernel[::-1, 0], "same"))


def test_bet_that_cannot_be_won_and_kernel_that_does_not_fit_are_refused():
    for options, answer in ((["one"], 0), (["one", "one"], 0), (["a", "b"], 2), (["a", "b"], -1)):
        with pytest.raises(ValueError, match=r"at least two different|index of one of the"):
            Bet("?", options, answer, "")
    for wrong in ({"sentence": "三个字"}, {"kernel": [[1, 2], [3, 4]]}, {"kernel": [[np.nan, 0]]}):
        with pytest.raises(ValueError, match=r"each character needs|finite"):
            SlidingKernel(**wrong)
