"""Names with a polarity, and what all who find them in texts share: a gazetteer and the reading of many texts."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kexue_nlp.lexicon import Matcher
from kexue_nlp.saved_model import SavedModel
from kexue_nlp.streaming import read_texts

__all__ = ["Mention", "MentionFinder"]

_CHUNK_CHARACTERS = 50_000  # of many texts, handled together


@dataclass(frozen=True)
class Mention:
    """An entity that was found: its name is ``text[start:end]``."""

    name: str
    start: int
    end: int
    polarity: str  # "pos", "neu" or "neg"
    probability: float  # how sure the model is of the polarity


class MentionFinder(SavedModel):
    """Base of models that find names of a list in texts; a subclass says in `_tag` how."""

    fold: bool  # whether names are found whatever their case, width and script: :func:`kexue_nlp.text.fold`

    @property
    def gazetteer(self) -> tuple[str, ...]:
        """The known names."""
        return self._gazetteer

    @gazetteer.setter
    def gazetteer(self, names: Iterable[str]) -> None:
        names = names if isinstance(names, str) else list(names)
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"a gazetteer is a list of names, each a str; got {names!r:.60}")
        self._gazetteer = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))

    @property
    def matcher(self) -> Matcher:
        """What finds the known names in a text."""
        return _matcher(self.gazetteer, self.fold)

    def __call__(self, texts: str | Iterable[str]) -> list[Mention] | list[list[Mention]]:
        """Tag one text (list of Mention, from left to right, without overlap) or many (a list of such lists)."""
        if isinstance(texts, str):
            return self._tag([texts])[0]
        return list(self.pipe(texts))

    def pipe(
        self, texts: Iterable[str], batch_size: int | None = None, errors: str = "raise"
    ) -> Iterator[list[Mention]]:
        """Tag texts one after another in bounded memory; yields the mentions of each; see ``Segmenter.pipe``."""
        return read_texts(self._tag, texts, _CHUNK_CHARACTERS, batch_size, errors)

    def _tag(self, texts: Sequence[str]) -> list[list[Mention]]:
        raise NotImplementedError


@lru_cache(maxsize=8)
def _matcher(names: tuple[str, ...], fold: bool) -> Matcher:
    return Matcher(names, fold)
