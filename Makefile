# Everything happens in .venv of this directory; nothing needs to be activated or installed first
# but make, git and Python 3.10 or newer (on Debian with its package python3-venv).
#
#   make demo    JupyterLab on a copy of the quick-start notebook
#   make check   the checks, and the tests that need no kernel and no browser: two minutes
#   make test    all checks and all tests
#   make lint    the checks alone
#   make nightly all tests, with more repeats; the magics and the panel on ipykernel 6 as well
#   make bench   speed and memory beside plain D-Tale, see docs/performance.md
#   make soak    kernels that contend for a port at random: SECONDS=600, SEED= to repeat a run
#   make docs    the site, in build/site; a warning is an error
#   make matrix  some tests on every Python that is here, and on the lowest versions: TESTS= for others
#   make dist    the sdist and the wheel, in dist/, tried in an environment of their own
#   make pictures  the pictures of README and site, from the real thing (Linux, as root)
#   make clean   remove .venv, the demo's copies and every cache

PYTHON ?= python3
PYTEST ?=
# Tests wait for kernels and browsers as long as they compute, and each has ports of its own.
JOBS ?= 3
BENCH ?=
SECONDS ?= 600
SEED ?=
PYTHONS ?= 3.10 3.12 3.13
# In each of these one fault of a version would show, and none needs a browser.
TESTS ?= tests/test_settings.py tests/frontend tests/system tests/reach tests/e2e/test_quickstart.py tests/e2e/test_magics.py
# With the lowest versions, and pandas 2, some kinds of frames could fail as well.
ifeq ($(origin TESTS),file)
matrix-%-lowest: TESTS += tests/viewer
endif
VENV := .venv
BIN := $(VENV)/bin
# Running a notebook changes it: the demo works on copies.
DEMO := demo
NOTEBOOK := $(DEMO)/quickstart.ipynb
# JupyterLab would greet with "Build recommended": dash, a dependency of D-Tale, ships the source of
# an extension that is not needed.
QUIET_LAB := --ServerApp.tornado_settings='{"page_config_data":{"buildCheck":False,"buildAvailable":False}}'

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo check test lint nightly bench soak docs matrix dist pictures clean
.DELETE_ON_ERROR:

demo: $(VENV)/stamp-demo
	@mkdir -p $(DEMO)
	@for name in notebooks/*.ipynb; do [ -e $(DEMO)/$${name##*/} ] || cp $$name $(DEMO); done
	@echo "Starting JupyterLab on a copy of the quick-start notebook, $(NOTEBOOK); Ctrl-C ends it."
	@set --; \
	if [ "$$(uname)" != Darwin ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ]; then \
		set -- "$$@" --no-browser; \
		echo "No desktop here: open the link that appears below in a browser."; \
	fi; \
	if [ "$$(id -u)" = 0 ]; then set -- "$$@" --allow-root; fi; \
	exec $(BIN)/jupyter lab --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(QUIET_LAB) "$$@"

check: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --ignore tests/e2e --cov --cov-report= $(PYTEST)

test: lint $(VENV)/stamp-chromium
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(PYTEST)

lint: $(VENV)/stamp-test
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files

nightly: export NIGHTLY = 1
nightly: $(VENV)/stamp-chromium
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal --timeout 3000 $(PYTEST)
	$(PYTHON) -m venv --clear $(VENV)-ipykernel6
	$(VENV)-ipykernel6/bin/python -m pip install --quiet --editable '.[test]' 'ipykernel<7'
	$(VENV)-ipykernel6/bin/python -m pytest tests/e2e/panel tests/frontend tests/e2e/test_magics.py tests/e2e/test_takeover.py

bench: $(VENV)/stamp-chromium
	$(BIN)/python -m benchmarks $(BENCH)

soak: $(VENV)/stamp-test
	$(BIN)/python -m benchmarks.soak --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

docs: $(VENV)/stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site: build/site/index.html"

matrix: $(PYTHONS:%=matrix-%-newest) matrix-$(firstword $(PYTHONS))-lowest

# make matrix-3.12-newest, make matrix-3.10-lowest; pyenv's Pythons are found besides those in PATH.
matrix-%: $(VENV)/stamp-test
	@PATH="$$PATH:$$(printf '%s:' $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin)" \
		$(BIN)/uv venv --quiet --clear --python $(firstword $(subst -, ,$*)) $(VENV)-matrix/$*
	$(BIN)/uv pip install --quiet --python $(VENV)-matrix/$* --editable '.[test]' \
		$(if $(findstring lowest,$*),--resolution lowest-direct)
	$(VENV)-matrix/$*/bin/python -m pytest $(TESTS)

dist: $(VENV)/stamp-test
	rm -rf dist
	$(BIN)/python -m build --installer uv
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m pytest tests/e2e/test_package.py

pictures: $(VENV)/stamp-chromium
	$(BIN)/python -m docs.pictures.take
	$(BIN)/python -m docs.pictures.move

clean:
	rm -rf $(DEMO) $(VENV) $(VENV)-matrix $(VENV)-ipykernel6 .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run quick: they are older than pyproject.toml when it has changed.

$(VENV)/stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed. Name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making $(VENV), an environment of its own for this directory."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/stamp-demo: $(VENV)/stamp-venv pyproject.toml
	@echo "Installing JupyterLab, D-Tale and dtale_magics into $(VENV); the first time that takes a minute or two."
	@$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/stamp-test: $(VENV)/stamp-venv pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/stamp-demo

$(VENV)/stamp-docs: $(VENV)/stamp-venv pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

$(VENV)/stamp-chromium: $(VENV)/stamp-test
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tests.support.debian
	@touch $@
