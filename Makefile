# The same words on a fresh machine, on a developer's, and in CI. `make` alone lists them.
#
# Needed: make, git and Python 3.11 or newer with its venv module. Everything else of Python is
# installed, at the versions and hashes of requirements/dev.lock, into .venv of this folder.
#
# The tests of containers also need packages of the operating system, and to be root. As root on
# Debian and Ubuntu `make test` installs them (scripts/setup_system.sh), and starts no service that
# comes with them. Elsewhere those tests are skipped, and each says what it lacks; in CI (CI=true)
# that is an error.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/ready
# Another Python than the first suitable one: make setup PYTHON=/path/to/python3.13
PYTHON ?=
# How many times the server is killed at a random moment; each takes about two seconds.
# With fewer than 20, every third write is one to die at, and not each.
ROUNDS ?= 100
# How hard `conformance` tries, of each thing that it tries.
EXAMPLES ?= 100
# The server that `conformance` is about, where it is not our own; the rest is for that server.
URL ?=
TOKEN ?= $(FLY_API_TOKEN)
ORG ?= personal
IMAGE ?=
GUEST ?=
# What is the first process of the virtual computer of `test-cgroup2`: plain or systemd.
VARIANT ?= plain
# More or other arguments for pytest: make test ARGS='-k survival -x'
ARGS ?=
# One more than there are cores: tests wait for processes of their own, a fifth of the time.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

PYTEST := $(RUN)/python -m pytest --quiet --numprocesses $(WORKERS)
# To look for them in all the others takes as long as some of them.
FAULTS = $(shell grep -rlF 'mark.faults' tests --include='test_*.py')
LOCK := uv pip compile --quiet --generate-hashes --universal --no-emit-index-url \
	--no-emit-find-links --no-annotate --custom-compile-command "make lock" --python-version 3.11

.PHONY: help
help: ## List these words
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

.PHONY: setup
setup: $(READY) ## Make the virtual environment, once and when the lock changed

$(READY): requirements/dev.lock pyproject.toml scripts/setup.sh
	@PYTHON='$(PYTHON)' scripts/setup.sh $(VENV) requirements/dev.lock
	@touch $@

.PHONY: system
system: ## Install the packages of the operating system that the tests need (as root, with apt)
	@scripts/setup_system.sh

.PHONY: system-bench
system-bench: system ## Install what the benchmarks compare with (as root, with apt)
	@scripts/setup_bench.sh

.PHONY: demo
demo: $(READY) ## The main job, end to end, on this computer
	@$(RUN)/ephemera demo

# What other people wrote against the API, for the tests in tests/clients.
CLIENTS := .venv-clients/ready

.PHONY: clients
clients: $(CLIENTS) ## Install the clients of other people that the tests run

$(CLIENTS): $(READY) requirements/clients.lock tests/clients/node/package-lock.json scripts/setup_clients.sh
	@scripts/setup_clients.sh $(RUN)/python .venv-clients requirements/clients.lock tests/clients/node
	@touch $@

.PHONY: test
test: $(READY) $(CLIENTS) system ## All tests but the slow fault tests
	@$(PYTEST) --dist loadfile --no-loadscope-reorder -m 'not faults' $(ARGS)

.PHONY: test-newest
test-newest: ## The tests that need no platform, on the newest supported Python
	@scripts/test_newest.sh 3.13 .venv-newest $(WORKERS)

.PHONY: test-wheel
test-wheel: $(READY) ## The demo, from the wheel installed by itself
	@scripts/test_wheel.sh $(RUN)/python

.PHONY: faults
faults: $(READY) system ## The tests that kill processes between any two steps
	@EPHEMERA_FAULT_ROUNDS=$(ROUNDS) $(PYTEST) -m faults $(FAULTS) $(ARGS)

# Not in CI, where it would take longer than all else together.
.PHONY: test-cgroup2
test-cgroup2: $(READY) ## The tests of containers in a virtual computer with cgroups of version 2 (as root)
	@scripts/vm_cgroup2.sh $(VARIANT) $(ARGS)

# In the environment, because arguments of programs can be seen by everybody.
conformance: export EPHEMERA_CONFORMANCE_EXAMPLES = $(EXAMPLES)
conformance: export EPHEMERA_CONFORMANCE_URL = $(URL)
conformance: export EPHEMERA_CONFORMANCE_TOKEN = $(TOKEN)
conformance: export EPHEMERA_CONFORMANCE_ORG = $(ORG)
conformance: export EPHEMERA_CONFORMANCE_IMAGE = $(IMAGE)
conformance: export EPHEMERA_CONFORMANCE_GUEST = $(GUEST)

.PHONY: conformance
conformance: $(READY) ## Hold the platform, or the server at URL=..., to the Machines API, thoroughly
	@$(RUN)/python -m pytest $(if $(URL),tests/conformance/test_server.py,tests/conformance tests/model) $(ARGS)

.PHONY: check
check: lint types generated ## Lint, types, and that generated files are current

.PHONY: lint
lint: $(READY)
	@$(RUN)/ruff check --quiet .
	@$(RUN)/ruff format --quiet --check .

.PHONY: format
format: $(READY) ## Lay out the code, and correct what the linter can
	@$(RUN)/ruff check --quiet --fix .
	@$(RUN)/ruff format --quiet .

.PHONY: types mypy pyright
types: mypy pyright

mypy: $(READY)
	@$(RUN)/mypy

pyright: $(READY)
	@$(RUN)/pyright

# Every script that writes a file of the repository knows --check: exit 1 if it is stale.
GENERATORS := $(wildcard scripts/generate_*.py)

.PHONY: generated
generated: $(READY)
	@for script in $(GENERATORS); do $(RUN)/python $$script --check; done

.PHONY: docs
docs: $(READY) ## Write the generated files anew
	@for script in $(GENERATORS); do $(RUN)/python $$script; done

.PHONY: bench
bench: $(READY) system-bench ## Measure what SPECIFICATION.md promises
	@$(RUN)/python -m benchmarks $(ARGS)

.PHONY: lock
lock: ## Resolve the dependencies anew (needs uv)
	@$(LOCK) --group dev pyproject.toml -o requirements/dev.lock
	@$(LOCK) pyproject.toml -o requirements/run.lock
	@$(LOCK) --group clients -o requirements/clients.lock

.PHONY: clean
clean: ## Remove everything that can be made again
	@rm -rf $(VENV) .venv-newest .venv-clients tests/clients/node/node_modules dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
