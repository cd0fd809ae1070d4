# Everything a newcomer or a machine runs. `make compare` and `make test` set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: compare test mutants notebooks bench bench-quick check format clean

compare: $(READY)  ## train the talk's network in all four frameworks on the built-in pictures
	$(BIN)/triptych compare sports

test: $(READY)  ## the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile

mutants: $(READY)  ## change one thing at a time in every framework; each must be caught
	$(BIN)/python -m tests.mutants

notebooks: $(READY)  ## execute every notebook from a clean kernel, outputs included
	$(BIN)/python -m tests.notebooks

bench: $(READY)  ## measure everything and write docs/benchmarks.md; PICTURES=FOLDER for photographs of yours
	$(BIN)/python -m benchmarks $(if $(PICTURES),--pictures '$(PICTURES)')

bench-quick: $(READY)  ## that every benchmark still runs; no figure means anything
	$(BIN)/python -m benchmarks --quick

check: $(READY)  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove what make has installed; runs stay
	rm -rf $(VENV)

# Installed again only when what is to be installed has changed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $(READY)
