# Everything a reader, a teacher or a contributor does here, one word each. Works with GNU make 3.81 (macOS).
#
#   make lab PYTHON=/opt/python3.12/bin/python       choose the interpreter (3.11, 3.12 or 3.13)
#   make lab LANGUAGE=zh                             the lessons, and JupyterLab itself, in Chinese
#   make lab ARGS="--no-browser --port 9999"         pass options on to JupyterLab (or to the script run)

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?=
ARGS ?=

# The environment in .venv stands alone: another one that is active, or settings meant for it, must not leak in.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PIP_TARGET PIP_PREFIX PIP_CONSTRAINT
# Without bytecode on disk each of the many kernels and processes of a test run would compile Keras and JAX anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

comma := ,
venv_python := .venv/bin/python
supported := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
version := import sys; print(sys.version_info[:2])

# Shell text that leaves in $$python a usable interpreter, or stops with a message. An interpreter is tried,
# not only found: pyenv leaves shims that do not run, and Debian leaves a python3 that cannot make environments.
define find_python
python=; \
for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
	if "$$candidate" -c '$(supported)' >/dev/null 2>&1 && "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; \
	then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
	echo "No usable Python 3.11, 3.12 or 3.13 found$(if $(PYTHON), at PYTHON=$(PYTHON))." >&2; \
	echo "Install one from https://www.python.org/downloads/ (on Debian or Ubuntu: apt install python3-venv)," >&2; \
	echo "or name one by adding PYTHON=/path/to/python3.13 to the make command." >&2; \
	exit 1; \
fi
endef

# $(call install,lab): make .venv and install the package with these extras, unless that has been done.
# What has been done is a checksum of all that it depends on, written last: a changed requirement, a moved
# folder or an install cut short is done again.
define install
@set -e; \
if [ ! -x $(venv_python) ] || ! $(venv_python) -c '$(supported)' 2>/dev/null \
	$(if $(PYTHON),|| [ "$$($(venv_python) -c '$(version)')" != "$$("$(PYTHON)" -c '$(version)' 2>/dev/null)" ]); \
then $(find_python); create=yes; else create=; fi; \
state="$$( (pwd -P; cat pyproject.toml constraints.txt) | cksum)"; \
if [ -z "$$create" ] && [ "$$(cat .venv/installed-$(1) 2>/dev/null)" = "$$state" ]; then exit 0; fi; \
if [ -z "$$create" ] && ! $(venv_python) -m pip --version >/dev/null 2>&1; then $(find_python); create=yes; fi; \
if [ -n "$$create" ]; then \
	echo "Making .venv with $$("$$python" --version) ($$python)"; \
	"$$python" -m venv --clear .venv; \
fi; \
rm -f .venv/installed-*; \
echo "Installing kexue_nlp[$(2)] into .venv (the first time takes a few minutes)"; \
$(venv_python) -m pip install --constraint constraints.txt --editable '.[$(2)]'; \
for extra in $(1) $(3); do printf '%s\n' "$$state" > .venv/installed-$$extra; done
endef

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

.PHONY: install-lab install-test install-bench install-browser
install-lab:
	$(call install,lab,lab)
install-test:
	$(call install,test,lab$(comma)test,lab)
install-bench:
	$(call install,bench,lab$(comma)test$(comma)bench,lab test)
install-browser:
	$(call install,browser,lab$(comma)test$(comma)browser,lab test)

.PHONY: lab
lab: install-lab ## open the lessons in JupyterLab, with LANGUAGE=zh in Chinese
	@exec $(venv_python) -c 'import sys, kexue_nlp.cli; \
		sys.exit(kexue_nlp.cli.open_lab(sys.argv[1], sys.argv[3:], sys.argv[2]))' \
		notebooks$(if $(filter zh,$(LANGUAGE)),/zh zh, en) $(ARGS)

# Tests compile the same small networks again and again, notebooks too: what is compiled once is kept.
test test-explorers test-browser: export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/build/compiled
test test-explorers test-browser: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0.1
test test-explorers test-browser: export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES := -1

# Two processes share the cores: threads of NumPy's own that wait for each other would take time from both.
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1

# Notebooks come first, as they take longest; tests fill what is left of two processes.
# A run that was stopped may have left half of what it compiled: then nothing of it is used again.
.PHONY: test
test: install-test ## check the style, run every test and every notebook
	$(venv_python) -m ruff check .
	$(venv_python) -m ruff format --check .
	@[ -e build/compiled/whole ] || rm -rf build/compiled
	@mkdir -p build/compiled && rm -f build/compiled/whole
	$(venv_python) -m pytest -n 2 --max-worker-restart 0 --dist loadfile --no-loadscope-reorder --nbval-lax --nbval-current-env \
		--doctest-modules notebooks tests kexue_nlp --ignore-glob='*/zh/*[1-9]_*' $(ARGS); status=$$?; touch build/compiled/whole; exit $$status

.PHONY: test-backends install-backends
test-backends: install-backends ## check the losses on TensorFlow too, in an environment of its own (.venv-tf)
	KERAS_BACKEND=tensorflow .venv-tf/bin/python -m pytest --confcutdir tests tests/test_losses.py
install-backends:
	@set -e; if [ ! -x .venv-tf/bin/python ]; then $(find_python); "$$python" -m venv .venv-tf; fi
	.venv-tf/bin/python -m pip install --quiet tensorflow-cpu $$(grep -E '^(keras|pytest)==' constraints.txt)

.PHONY: test-explorers test-browser
test-explorers: install-browser ## move every explorer, in Chinese, in small notebooks that train nothing, in a real Chromium
	$(venv_python) -m pytest tests/browser -n 2 --max-worker-restart 0 --dist loadscope -k "light or faulty or view" $(ARGS)
test-browser: install-browser ## run every lesson in JupyterLab in a real Chromium too, and look at the slides
	$(venv_python) -m pytest tests/browser $(ARGS)

.PHONY: notebooks
notebooks: install-test ## run every notebook in a clean kernel and write its measured badge
	$(venv_python) benchmarks/notebooks.py $(ARGS)

# `make test` executes the first of the Chinese lessons; here all of them are.
.PHONY: translations zh
translations: install-test ## merge changed English into po/zh_CN/, and say what must be translated
	$(venv_python) po/catalogues.py extract $(ARGS)
zh: install-test ## write the lessons in Chinese into notebooks/zh/, and execute them
	$(venv_python) po/catalogues.py build $(ARGS)

# The browser loads reveal.js from the web (nbconvert has no copy of it), and MathJax for formulas. Without a network the
# same files are pages to scroll through, all slides one below the other; with copies of what they load, which nbconvert
# calls reveal_url_prefix, require_js_url, jquery_url and mathjax_url, they are slides again:
# make slides ARGS="--SlidesExporter.reveal_url_prefix=reveal.js --SlidesExporter.require_js_url=require.js" and so on.
.PHONY: slides
slides: install-lab ## export the lessons, as they are stored, to slides in build/slides/
	$(venv_python) -m nbconvert --to slides --template-file benchmarks/slides.html.j2 \
		--SlidesExporter.reveal_width=1280 --SlidesExporter.reveal_height=800 --SlidesExporter.reveal_scroll=True \
		--output-dir build/slides $(ARGS) notebooks/*.ipynb

# npm fetches, by name, what shows widgets in a page. Another explorer:
# make live ARGS="build/live/kernel.html kexue_nlp.widgets:SlidingKernel"
.PHONY: live
live: install-lab ## write lesson 03's explorer into one HTML file that runs in a browser alone (needs npm)
	$(venv_python) benchmarks/live_page.py $(ARGS)

.PHONY: pretrain pretrain-segmenter pretrain-bioword pretrain-lm pretrain-tagger pretrain-classifier
pretrain: pretrain-segmenter pretrain-bioword pretrain-lm pretrain-tagger pretrain-classifier ## train all that the package carries
pretrain-segmenter: install-bench ## train the word segmenters that the package carries (resumes where it stopped)
	$(venv_python) benchmarks/reproduce/segmentation.py --pretrain $(ARGS)
pretrain-bioword: install-bench ## train the word vectors that the package carries
	$(venv_python) benchmarks/reproduce/word_vectors.py --pretrain $(ARGS)
pretrain-lm: install-bench ## train the language model that the package carries (resumes where it stopped)
	$(venv_python) benchmarks/reproduce/pretrain_lm.py $(ARGS)
pretrain-tagger: install-bench ## train the viewpoint tagger that the package carries (keeps what is finished)
	$(venv_python) benchmarks/reproduce/viewpoint.py --pretrain tagger $(ARGS)
pretrain-classifier: install-bench ## train the viewpoint classifier that the package carries
	$(venv_python) benchmarks/reproduce/viewpoint.py --pretrain classifier $(ARGS)

.PHONY: reproduce
reproduce: install-bench ## run every article-scale experiment (resumes where it stopped)
	@set -ex; for script in $(filter-out %/runs.py %/pretrain_lm.py,$(wildcard benchmarks/reproduce/*.py)); do \
		$(venv_python) $$script $(ARGS); \
	done
	$(venv_python) benchmarks/reproduce/margin_loss.py --sweep $(ARGS)

.PHONY: bench
bench: install-bench ## measure speed side by side with other tools
	@set -ex; for script in $(wildcard benchmarks/speed/*.py); do $(venv_python) $$script $(ARGS); done

.PHONY: results
results: install-lab ## write the tables of results and docs/results.md out of the stored runs
	$(venv_python) benchmarks/tables.py $(ARGS)

# pip makes wheels of what comes as source only, so that nothing has to be built where they are installed. They fit
# this system and this version of Python. editables is what an editable install, `make lab`, builds with.
.PHONY: wheelhouse
wheelhouse: install-lab ## collect in wheelhouse/ the wheels with which lessons and tests install without a network
	rm -rf build/wheelhouse
	$(venv_python) -m pip wheel --constraint constraints.txt --wheel-dir build/wheelhouse '.[lab,test]' editables
	rm -rf wheelhouse
	mv build/wheelhouse wheelhouse

# Resolved on the oldest Python 3.11 at hand: it needs every package that a newer Python needs and a few more, and
# what runs on 3.11.0 runs on the rest (a test checks). appnope is what macOS needs on top.
.PHONY: constraints
constraints: PYTHON := $(or $(PYTHON),python3.11)
constraints: ## pin today's versions in constraints.txt and binder/environment.yml (needs Python 3.11)
	@set -e; $(find_python); work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	"$$python" -m venv "$$work/v"; \
	"$$work/v/bin/python" -m pip install --quiet '.[lab]'; \
	"$$work/v/bin/python" -m pip freeze --exclude kexue_nlp > "$$work/lab"; \
	"$$work/v/bin/python" -m pip install --quiet '.[lab,test,bench,browser]' appnope; \
	"$$work/v/bin/python" -m pip freeze --exclude kexue_nlp > "$$work/all"; \
	{ sed -n '/^#/p' constraints.txt; cat "$$work/all"; } > "$$work/constraints.txt"; \
	{ sed '/- pip:/q' binder/environment.yml; sed 's/^/      - /' "$$work/lab"; } > "$$work/environment.yml"; \
	cp "$$work/constraints.txt" constraints.txt; \
	cp "$$work/environment.yml" binder/environment.yml

.PHONY: clean
clean: ## remove .venv and everything that is made again
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist wheelhouse
	find kexue_nlp tests benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +
