"""The pretrained tagger."""

from kexue_nlp.viewpoint_tagger import ViewpointTagger
from kexue_nlp.widgets import ViewpointExplorer

ViewpointExplorer(
    ViewpointTagger.load("pretrained"), ["轩逸的空间很大，油耗也低，比卡罗拉强多了。", "我喜欢本田，我不喜欢北京奔驰。"]
)
