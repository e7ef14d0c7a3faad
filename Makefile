# What a newcomer needs: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check format docs clean setup

demo: setup  ## train a small network on synthetic hearts and open the result
	$(BIN)/cardioseg demo --output demo-output

test: setup  ## every test
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest --doctest-modules src/cardioseg

check: setup  ## format, lint, types, layers
	$(BIN)/ruff format --check src tests models docs
	$(BIN)/ruff check src tests models docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup  ## let ruff format and mend what it can
	$(BIN)/ruff format src tests models docs
	$(BIN)/ruff check --fix src tests models docs

docs: setup  ## make the pictures of the documentation anew
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) demo-output dist build

setup: $(VENV)/.installed

# Torch comes first and alone: an unpinned torch would pull several GB of CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt models/acdc/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e '.[train,openvino,tensorboard,tune,postgresql,test,dev]' -e models/acdc
	$(PIP) --no-deps monai
	touch $@
