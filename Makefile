# Every target makes its own .venv from nothing but Python 3.11 or newer. Another interpreter: make PYTHON=python3.12 test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench soak pictures docs clean fresh-constraints

help:
	@echo "make demo       the board with pretend vendors: no network, no configuration, no credentials"
	@echo "make test       everything that must pass: check, then all tests, with real servers where they are installed"
	@echo "make check      ruff, mypy, the import rules"
	@echo "make format     let ruff lay out the code"
	@echo "make bench      the table of speed and memory"
	@echo "make soak       the tests that take minutes"
	@echo "make pictures   export the pictures of the documentation"
	@echo "make docs       write docs/sources.md from the sources, docs/keys.md from the screens"
	@echo "make clean      remove what the targets above made"
	@echo "make fresh-constraints   pin the newest versions that pyproject.toml allows"

demo: $(VENV)/.runtime
	@$(BIN)/statusboard demo

# What boots real servers waits more than it works, so it runs beside all the rest; what it has to say comes last.
test: check
	@mkdir -p build
	@$(BIN)/python -m pytest -m "real and not soak" > build/real-tests.txt 2>&1 & real=$$!; \
	trap 'kill $$real 2> /dev/null' INT TERM; \
	$(BIN)/python -m pytest -m "not real and not soak" -n auto; rest=$$?; \
	wait $$real; real=$$?; \
	cat build/real-tests.txt; \
	test $$rest = 0 && test $$real = 0

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak -o faulthandler_timeout=0

pictures: $(VENV)/.dev
	$(BIN)/python -m tests.pictures

docs: $(VENV)/.runtime
	$(BIN)/statusboard sources --markdown > docs/sources.md.new && mv docs/sources.md.new docs/sources.md
	$(BIN)/statusboard keys --markdown > docs/keys.md.new && mv docs/keys.md.new docs/keys.md

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find statusboard widgets sources tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The build back-end comes from constraints.txt as well, hence no isolated build. `pip install` of the project itself is
# repeated only when its dependencies or entry points may have changed: the install is editable.
$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation -e '.[dev]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "statusboard needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name yours: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "statusboard needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	rm -rf $(VENV)
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

# In a venv of its own, so that only what the project asks for is written down.
fresh-constraints:
	rm -rf build/pins && "$(PYTHON)" -m venv build/pins
	build/pins/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager hatchling editables
	build/pins/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --no-build-isolation -e '.[dev]'
	{ grep '^#' constraints.txt; build/pins/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/pins
