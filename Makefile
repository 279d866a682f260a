# Two commands for everybody: `make demo` and `make test`. Each target makes what it needs, the virtual
# environment included, from a bare checkout with only Python, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pytest workers; the suite is written for two cores.
WORKERS ?= 2
PYTEST_ARGS ?=
BASE_IMAGE ?=
JILOG_IMAGE ?= jilog:local

# Some machines forbid bytecode files; then every command of a test would compile all its modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-rollout sim check format docs bench golden image demo-fleet clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "jilog needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fast]'
	@touch $@

demo: $(VENV)/.run ## three hosts on this machine: record, sync, crash, resume, review
	$(BIN)/python -m jilog_agent.demo

# Many tests run real hosts with real clocks. What fails beside other tests is run once more alone, in plain
# sight; what fails alone too has failed. More than a handful of failures is never the machine.
test: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --maxfail 8 $(PYTEST_ARGS) || { \
	  status=$$?; failed=$$($(BIN)/python -m pytest --cache-show 'cache/lastfailed' 2>/dev/null | grep -c '::'); \
	  [ $$status = 1 ] && [ "$$failed" -gt 0 ] && [ "$$failed" -le 4 ] || exit $$status; \
	  echo "these $$failed failed beside other tests and are run once more, alone:"; \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(PYTEST_ARGS); }

test-rollout: $(VENV)/.dev ## the playbooks against three hosts with systemd, and the demo of a fleet: many minutes
	$(BIN)/python -m pytest -m rollout tests/ansible tests/fleet $(PYTEST_ARGS)

check: $(VENV)/.dev ## ruff, mypy strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## write the documents that are made from the program
	$(BIN)/python -m jilog_agent.manual.reference > docs/cli.md
	$(BIN)/python tools/architecture_picture.py > docs/architecture.svg

sim: $(VENV)/.dev ## simulated fleets: SEED=1 N=100, or SEED=7 SHRINK=1 to make a failure small
	PYTHONPATH=tests $(BIN)/python -m simulation --seed $(or $(SEED),1) --count $(or $(N),100) $(if $(SHRINK),--shrink)

bench: $(VENV)/.dev ## benchmarks: ratios to a reference in the same run
	$(BIN)/python -m benchmarks

image: $(VENV)/.made ## the container image jilog:local; BASE_IMAGE names another base
	PYTHON=$(BIN)/python deploy/image/build-image.sh $(addprefix --base ,$(BASE_IMAGE)) $(JILOG_IMAGE)

demo-fleet: image ## three containers: discovery, a partition, the nightly review (deploy/compose.yaml)
	JILOG_IMAGE=$(JILOG_IMAGE) $(BIN)/python deploy/demo_fleet.py

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
