# What people do here, by name. `make help` lists it. Needs Python 3.11 or later with venv, and nothing else.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Of the tests: many wait for servers that they start, so twice as many as a small machine has processors.
WORKERS ?= 4
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXACT := schemas/**,pipeline/log/**,pipeline/quarantine/**,pipeline/sqlite_file.py,pipeline/writer_lock.py,projections/stores/**,$\
projections/agent_status.py,projections/configuration.py,projections/daily_aggregates.py,projections/event_index.py,projections/task_board.py,projections/guard.py,$\
consumers/notifier/groups/**,consumers/notifier/routing/**,consumers/notifier/ledger/**,consumers/notifier/deciding.py,consumers/notifier/policing.py
EMULATORS := tests/aws/emulators
EMULATORS_PYTHON := .venv-emulators/.installed
EMULATORS_NODE := $(EMULATORS)/node_modules/.installed
UV_COMPILE = "$$tools/bin/uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(ARGS)

define FIT
@command -v $(PYTHON) >/dev/null || { echo 'No $(PYTHON) here. Install Python 3.11 or later, or say: make PYTHON=/path/to/python3'; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$$($(PYTHON) -V) is too old: Python 3.11 or later is needed. Say which: make PYTHON=/path/to/python3.11"; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'This Python lacks venv. On Debian and Ubuntu: apt-get install python3-venv'; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help install emulators run test check lint format coverage covered docs bench bench-aws torture schemas lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 15

install: $(INSTALLED) ## set up .venv with the locked dependencies (others do so by themselves)

$(INSTALLED): requirements.lock pyproject.toml
	$(FIT)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

emulators: $(EMULATORS_PYTHON) ## set up the AWS servers of the tests; those in JavaScript if npm is here
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(EMULATORS_NODE); \
		else echo 'No npm here: tests on kinesalite and kinesis-local are skipped. Install Node.js 18 or later for them.'; fi

$(EMULATORS_PYTHON): $(EMULATORS)/requirements.lock
	$(FIT)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(EMULATORS_NODE): $(EMULATORS)/package-lock.json
	npm ci --silent --prefix $(EMULATORS)
	@touch $@

run: $(INSTALLED) ## run everything here, with sample findings flowing; Ctrl-C ends it
	@exec $(BIN)/findstream run --sample $(ARGS)

test: $(INSTALLED) $(EMULATORS_PYTHON) ## run all tests but the long ones; ARGS='-k words' picks
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: lint coverage ## what CI runs: lint, types, layers, all tests with coverage

lint: $(INSTALLED) ## check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## mend what style can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(INSTALLED) emulators ## run the tests; fail below 95 % of branches, or below 100 % of what must not lie
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report= $(ARGS)
	@$(MAKE) --no-print-directory covered

covered: ## judge the coverage of the last measured run
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='$(EXACT)'

docs: $(INSTALLED) ## run the examples in the documents
	$(BIN)/python -m pytest tests/docs $(ARGS)

bench: $(INSTALLED) ## measure against the naive baseline; writes bench.json
	$(BIN)/python -m tests.bench $(ARGS)

bench-aws: $(INSTALLED) emulators package-local ## measure the parts on AWS beside naive ones, on emulators; writes bench-aws.json
	$(BIN)/python -m tests.bench.aws $(ARGS)

torture: $(INSTALLED) emulators ## run the tests with all crashes and many examples; takes long
	FINDSTREAM_TORTURE=1 $(BIN)/python -m pytest -n 2 --timeout=7200 --hypothesis-profile=thorough $(ARGS)

schemas: $(INSTALLED) ## publish the schemas of events to schemas/published/
	$(BIN)/python -m schemas.publish

lock: ## pin what pyproject.toml asks for; ARGS=--upgrade renews old pins
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" \
		&& "$$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv \
		&& $(UV_COMPILE) --group dev --extra aws pyproject.toml -o requirements.lock \
		&& $(UV_COMPILE) $(EMULATORS)/requirements.in -o $(EMULATORS)/requirements.lock \
		&& $(UV_COMPILE) infra/tools/requirements.in -o infra/tools/requirements.lock \
		&& $(UV_COMPILE) -c requirements.lock infra/central/requirements.in -o infra/central/requirements.lock \
		&& $(UV_COMPILE) -c requirements.lock infra/agent/requirements.in -o infra/agent/requirements.lock

# ---- AWS: STAGE is local, dev or prod; PARAMETERS are those of the templates, as 'OrgId=o-… AlarmTopicArn=…'

STAGE ?= dev
PARAMETERS ?=
PACKAGES ?= build/lambda
TOOLS := .venv-infra/.installed
TEMPLATES := build/infra/central.json
DEPLOY = $(BIN)/python -m infra.deploy

.PHONY: tools package package-local templates policy bootstrap deploy agent destroy logs up-aws-local

tools: $(TOOLS) ## set up what transforms, lints and checks the templates

$(TOOLS): infra/tools/requirements.lock
	$(FIT)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

package: $(INSTALLED) ## build the zips for Lambda into build/lambda; ARGS='--architecture arm64'
	$(BIN)/python -m infra.package $(ARGS)

package-local: $(INSTALLED) $(EMULATORS_PYTHON) ## build them for this machine, into build/local
	$(BIN)/python -m infra.package --like .venv-emulators/bin/python --to build/local

templates: $(TEMPLATES) ## transform the templates into build/infra

$(TEMPLATES): $(TOOLS) infra/transform.py $(wildcard infra/*/template.yaml)
	.venv-infra/bin/python -m infra.transform $(@D)

policy: $(TEMPLATES) ## lint the templates, and check them against common policy
	.venv-infra/bin/cfn-lint infra/*/template.yaml build/infra/*.json
	.venv-infra/bin/python -m infra.policy

bootstrap: $(INSTALLED) $(TEMPLATES) ## make the bucket to deploy from, once for an account and region
	$(DEPLOY) bootstrap $(PARAMETERS)

deploy: $(INSTALLED) $(TEMPLATES) ## deploy the central stack of STAGE, with PARAMETERS
	$(DEPLOY) deploy --stage $(STAGE) --packages $(PACKAGES) $(ARGS) $(PARAMETERS)

agent: $(INSTALLED) $(TEMPLATES) ## deploy the agent here; ARGS=--for-stack-sets only makes it ready for a whole organisation
	$(DEPLOY) agent --packages $(PACKAGES) $(ARGS) $(PARAMETERS)

destroy: $(INSTALLED) ## delete the central stack of STAGE; what holds data stays
	$(DEPLOY) destroy --stage $(STAGE) $(ARGS)

logs: $(INSTALLED) ## show what the functions of STAGE say; ARGS='projector --minutes 60 --follow'
	$(DEPLOY) logs --stage $(STAGE) $(ARGS)

up-aws-local: $(INSTALLED) $(TEMPLATES) package-local ## run the whole AWS shape here, without containers; Ctrl-C ends it
	@exec $(BIN)/python -m localstack.up $(ARGS)

clean: ## remove what can be made again; data in var/ stays
	rm -rf $(VENV) .venv-* $(EMULATORS)/node_modules build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
