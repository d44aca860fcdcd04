"""Write an explorer into one HTML file that runs in a browser alone: no kernel, no server, no request to anywhere.

    python benchmarks/live_page.py                                              # lesson 03's explorer
    python benchmarks/live_page.py build/live/kernel.html kexue_nlp.widgets:SlidingKernel

The second argument names a function or class, `module:name`, that makes the widget when called without arguments; a
file of tests/browser/light, whose last line is an explorer, will do as well. npm must be on the PATH: it fetches, by
name, what shows widgets in a page. Of the package's font, the characters that are in the page go with it, and are used.
"""

import argparse
import ast
import base64
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib import import_module
from io import BytesIO
from pathlib import Path

import anywidget
from fontTools import subset
from fontTools.ttLib import TTFont
from ipywidgets import DOMWidget
from ipywidgets.embed import embed_snippet

ROOT = Path(__file__).resolve().parents[1]
FONT = ROOT / "kexue_nlp" / "fonts" / "KexueSansSC-Regular.otf"
DEFAULT = ROOT / "tests" / "browser" / "light" / "segmentation.py"
ASSET = re.compile(r'\w\.p\+"([0-9a-f]+\.(\w+))"')  # how webpack names a file beside its bundle
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
@font-face {{ font-family: "Kexue Sans SC"; src: url(data:font/otf;base64,{font}); unicode-range: U+2190-FFEF; }}
body {{ --jp-ui-font-family: "Kexue Sans SC", system-ui, sans-serif; font-family: var(--jp-ui-font-family); }}
:is(input, textarea, select, button) {{ font-family: inherit; }}
/* What shows the widgets brings the colours of JupyterLab's light theme; here are those of its dark one. */
@media (prefers-color-scheme: dark) {{
  html:root {{
    color-scheme: dark; background: #111; color: white;
    --jp-layout-color0: #111; --jp-layout-color1: #212121; --jp-layout-color2: #424242; --jp-layout-color3: #616161;
    --jp-ui-font-color0: white; --jp-ui-font-color1: #eee; --jp-ui-font-color2: #aaa;
    --jp-widgets-color: white; --jp-widgets-label-color: white; --jp-widgets-input-color: white;
    --jp-widgets-input-background-color: #212121;
  }}
}}
</style>
</head>
<body>
{scripts}
{widgets}
</body>
</html>
"""


def package(name: str, folder: Path) -> Path:
    """Fetch a package from npm into a folder; return where it lies."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), name]
    (file,) = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(folder / file) as archive:
        archive.extractall(folder / Path(file).stem, filter="data")
    return folder / Path(file).stem / "package"


def scripts() -> list[str]:
    """Return what shows widgets in a page: requirejs, anywidget under its name, and the manager with its icons."""
    with tempfile.TemporaryDirectory() as name:
        loader = (package("requirejs", Path(name)) / "require.js").read_text("utf-8")
        dist = package("@jupyter-widgets/html-manager", Path(name)) / "dist"

        def inline(asset: re.Match) -> str:
            # One format of each icon font is enough, and browsers take the WOFF2.
            data = base64.b64encode((dist / asset[1]).read_bytes()).decode() if asset[2] == "woff2" else ""
            return f'"data:font/{asset[2]};base64,{data}"'

        manager, count = ASSET.subn(inline, (dist / "embed-amd.js").read_text("utf-8"))
    if not count:
        sys.exit("embed-amd.js names its fonts in a way that is not known here; ASSET must be adapted")
    own = (Path(anywidget.__file__).parent / "nbextension" / "index.js").read_text("utf-8")
    if own.count("define([") != 1:
        sys.exit("anywidget's index.js does not define one module; it cannot be given a name")
    return [loader, own.replace("define([", 'define("anywidget", ['), manager]


def font(text: str) -> str:
    """Return the package's font, cut down to the characters of a text, in base64."""
    small = TTFont(FONT)
    subsetter = subset.Subsetter()
    subsetter.populate(text=text)
    subsetter.subset(small)
    file = BytesIO()
    small.save(file)
    return base64.b64encode(file.getvalue()).decode()


def make(factory: str) -> DOMWidget:
    """Make the widget that a factory, or a file's last line, makes."""
    if not factory.endswith(".py"):
        module, _, name = factory.partition(":")
        return getattr(import_module(module), name)()
    *statements, last = ast.parse(Path(factory).read_text("utf-8")).body
    names: dict = {}
    exec(compile(ast.Module(statements, []), factory, "exec"), names)
    return eval(compile(ast.Expression(last.value), factory, "eval"), names)


def write(widget: DOMWidget, path: Path) -> None:
    """Write the page of a widget."""
    # With drop_defaults the state would lack the name of anywidget's view, and nothing would show.
    widgets = embed_snippet(views=[widget], requirejs=False, embed_url="", drop_defaults=False, indent=None)
    widgets = re.sub(r"<script src=[^>]*></script>", "", widgets)
    characters = "".join(set(re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), widgets)))
    code = "\n".join("<script>" + re.sub("</(?=script)", r"<\\/", script) + "</script>" for script in scripts())
    page = PAGE.format(title=type(widget).__name__, font=font(characters), scripts=code, widgets=widgets)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("path", nargs="?", type=Path, default=ROOT / "build" / "live" / "index.html")
    parser.add_argument("factory", nargs="?", default=str(DEFAULT))
    arguments = parser.parse_args()
    write(make(arguments.factory), arguments.path)
    print(f"{arguments.path}: {arguments.path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
