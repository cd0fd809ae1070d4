# Everything a newcomer or a machine runs. `make compare` and `make test` set themselves up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
GALLERY := build/gallery/index.txt

.PHONY: compare quick test test-all mutants honest kills notebooks bench bench-quick docs check format clean

compare: $(READY)  ## train the talk's network in all four frameworks on the built-in images
	$(BIN)/triptych compare sports

# Which tests are left out here and in the next is decided in tests/conftest.py.
quick: $(READY)  ## the tests that start no framework; under a minute
	$(BIN)/pytest -n 2 --dist worksteal -m 'not slow and not extra'

test: $(READY)  ## the test suite; a dozen minutes on two cores
	$(BIN)/pytest -n 2 --dist loadfile -m 'not extra'

test-all: $(READY)  ## every test, every mutant, every notebook, every benchmark once, and the site
	$(BIN)/pytest -n 2 --dist loadfile
	$(MAKE) mutants bench-quick docs

mutants: $(READY)  ## change one thing at a time in every framework; each must be caught
	$(BIN)/python -m tests.mutants

honest: $(READY)  ## two hundred honest first steps, drawn at random; none may raise an alarm
	$(BIN)/python -m tests.mutants.first_steps 50

kills: $(READY)  ## kill runs and feed hostile files, in hundreds; nothing executed, lost or left behind; half an hour
	$(BIN)/python -m tests.kills

notebooks: $(READY)  ## execute every notebook from a clean kernel, outputs included
	$(BIN)/python -m tests.notebooks

bench: $(READY)  ## measure everything and write docs/benchmarks.md; IMAGES=FOLDER for photographs of your own
	$(BIN)/python -m benchmarks $(if $(IMAGES),--images '$(IMAGES)')

bench-quick: $(READY)  ## check that every benchmark still runs; its figures mean nothing
	$(BIN)/python -m benchmarks --quick

docs: $(GALLERY)  ## build the site into build/site; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q -c docs -d build/doctrees . build/site

check: $(READY)  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove everything that make installed and built; runs stay
	rm -rf $(VENV) build

# Trained again only when a page could have changed.
$(GALLERY): docs/gallery.py $(shell find src -name '*.py' -o -name '*.j2' -o -name '*.css' -o -name '*.toml') | $(READY)
	$(BIN)/python docs/gallery.py $(@D)

# Installed again only when what is to be installed has changed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $(READY)
