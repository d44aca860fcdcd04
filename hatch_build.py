"""The page on a package index: README with its links to files of the repository made absolute."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY = "https://github.com/kexue-nlp/kexue_nlp"


def absolute(text: str) -> str:
    """Return Markdown whose pictures and links lead to the repository."""
    text = re.sub(r'(<img src=")(?!https:)', rf"\1{REPOSITORY}/raw/main/", text)
    text = re.sub(r"(!\[[^\]]*\]\()(?!https:)", rf"\1{REPOSITORY}/raw/main/", text)
    return re.sub(r"(?<!!)(\[[^\[\]]*\]\()(?!https:|#)", rf"\1{REPOSITORY}/blob/main/", text)


class ReadmeHook(MetadataHookInterface):
    """Fills in the field `readme` that pyproject.toml leaves open."""

    def update(self, metadata: dict) -> None:
        """Read README.md."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text)}
