"""The language of what the package says to a reader: labels, captions, hints, verdicts; English or Chinese."""

import gettext
import locale
import os
from functools import cache
from pathlib import Path

__all__ = ["N_", "_", "language", "use_language"]

_LOCALE = Path(__file__).parent / "locale"
_CODES = {"en": "en", "zh": "zh_CN"}

_chosen: str | None = None


def use_language(code: str) -> None:
    """Choose the language of what is made from now on: ``"zh"`` or ``"en"``; ValueError for any other.

    The environment variable ``KEXUE_NLP_LANGUAGE`` overrides it. Where neither is set, the system's language counts.
    """
    global _chosen
    _chosen = _known(code)


def language() -> str:
    """Return the language in use, ``"en"`` or ``"zh"``."""
    if code := os.environ.get("KEXUE_NLP_LANGUAGE"):
        return _known(code)
    system = next(filter(None, [*map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG")), locale.getlocale()[0]]), "")
    return _chosen or ("zh" if system.lower().startswith(("zh", "chinese")) else "en")


def _known(code: str) -> str:
    if code not in _CODES:
        raise ValueError(f"the languages are {' and '.join(_CODES)}, not {code!r}")
    return code


@cache
def _translations(code: str) -> gettext.NullTranslations:
    return gettext.translation("kexue_nlp", _LOCALE, [_CODES[code]], fallback=code == "en")


def _(message: str, **values: object) -> str:
    """Return a message in the language in use, with values in its braces if there are any."""
    text = _translations(language()).gettext(message) if message else ""
    return text.format(**values) if values else text


def N_(message: str) -> str:
    """Mark a message for the catalogue; whoever shows it translates it."""
    return message
