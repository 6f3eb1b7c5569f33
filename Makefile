# `make demo` trains a network; `make test` tests everything. Both set themselves up.
PYTHON ?= python3
VENV ?= .venv
# PyTorch is a witness in the tests and a large download: PEERS=0 tests without it.
PEERS ?= 1
COMMA := ,
EXTRAS := $(if $(filter 0,$(PEERS)),test,test$(COMMA)peer)
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test bench layers lint check clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 10

demo: $(VENV)/.ready  ## Train on real handwritten digits; model and pictures go to runs/
	$(BIN)/pellucid train

test: $(VENV)/.ready-$(PEERS)  ## Run all tests
	PELLUCID_REQUIRE_PEERS=$(PEERS) $(BIN)/python -m pytest -n auto --dist loadfile

bench: $(VENV)/.ready-$(PEERS)  ## Measure against PyTorch, side by side (an hour; or CASES="...")
	$(BIN)/python benchmarks/run.py $(CASES) $(if $(filter 0,$(PEERS)),--no-peer)

layers: $(VENV)/.ready-$(PEERS)  ## Measure every layer by itself against PyTorch and ONNX Runtime
	$(BIN)/python benchmarks/layers.py $(CASES)

lint: $(VENV)/.ready-lint  ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@if command -v tsc >/dev/null; then \
	for part in page single_file single_file/unit; do tsc -p src/pellucid/studio/$$part/jsconfig.json || exit 1; done; \
	else echo "tsc is not installed: the types of the page's scripts are not checked"; fi

check: lint test  ## All that a change must pass

clean:  ## Remove the virtual environment
	rm -rf $(VENV)

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pellucid needs Python 3.11 or newer; choose one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.ready-$(PEERS): $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.ready-lint: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
