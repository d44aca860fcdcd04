"""Sentences that the explorer begins with, and what their words mean, for readers without Chinese."""

from typing import NamedTuple

__all__ = ["EXAMPLES", "GLOSSES", "Example"]


class Example(NamedTuple):
    """A sentence, its meaning, and words that are worth a place in the dictionary."""

    text: str
    gloss: str
    words: tuple[str, ...]


EXAMPLES = (
    Example("扫描二维码，关注微信号。", "Scan the QR code and follow the WeChat ID.", ("微信号",)),
    Example("南京市长江大桥欢迎您", "Welcome to the Yangtze bridge of Nanjing. (Or: to mayor Jiang …)", ("南京市长",)),
    Example("研究生命起源", "to study the origin of life (or: graduate students …)", ("研究生",)),
    Example(
        "乒乓球拍卖完了",
        "The ping-pong bats are sold out. (Or: the auction of the balls is over.)",
        ("乒乓球拍", "卖完"),
    ),
    Example("十條推薦東京必去路線", "ten recommended walks in Tokyo (in traditional characters)", ("東京",)),
)

GLOSSES = {
    "扫描": "scan",
    "二维码": "QR code",
    "二维": "two-dimensional",
    "码": "code",
    "关注": "follow",
    "微信号": "WeChat ID",
    "微信": "WeChat",
    "信号": "signal",
    "微": "tiny",
    "信": "letter",
    "号": "number",
    "南京市": "Nanjing City",
    "南京": "Nanjing",
    "南京市长": "mayor of Nanjing",
    "市": "city",
    "市长": "mayor",
    "长江": "Yangtze",
    "长江大桥": "Yangtze bridge",
    "江大桥": "Jiang Daqiao, a name",
    "江": "river",
    "大桥": "big bridge",
    "欢迎": "welcome",
    "欢迎您": "welcome (you)",
    "您": "you",
    "研究": "study",
    "研究生": "graduate student",
    "生": "be born",
    "生命": "life",
    "命": "fate",
    "起源": "origin",
    "生命起源": "origin of life",
    "乒乓球": "ping-pong",
    "乒乓": "ping-pong",
    "乒乓球拍": "ping-pong bat",
    "球拍": "bat",
    "球": "ball",
    "拍": "bat, clap",
    "拍卖": "auction",
    "卖完": "sold out",
    "卖": "sell",
    "完": "finish",
    "完了": "is over",
    "了": "(done)",
    "十": "ten",
    "條": "(counts)",
    "十條": "ten (items)",
    "推薦": "recommend",
    "推": "push",
    "薦": "recommend",
    "薦東": "(no word)",
    "東京": "Tokyo",
    "東京必": "(no word)",
    "京": "capital",
    "必": "must",
    "必去": "must go",
    "去": "go",
    "去路": "way out",
    "路線": "route",
    "路": "road",
    "線": "line",
}
