# make demo and make test do all the set-up themselves: git, make and Python 3.11 are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all browser lint format docs clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e '.[all]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/overread demo

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

test-all: $(STAMP) lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Without Chromium the tests of the page are skipped; this needs Debian and root.
browser:
	apt-get update
	apt-get install --yes --no-install-recommends chromium

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python -m overread.vocab.jsonschema vocab/schema.json
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) overread-out .mypy_cache .ruff_cache .pytest_cache .hypothesis
