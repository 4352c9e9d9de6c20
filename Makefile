# make up: from nothing to a verified event. make test: everything that proves it. ARGS goes to ansible-playbook.
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=
export PATH := $(CURDIR)/.venv/bin:$(PATH)
.PHONY: help up verify status down test lint unit collection molecule refusals faults setup setup-test clean-cache

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: setup ## set everything up and run site.yml
	ansible-playbook site.yml $(ARGS)

verify: setup ## prove the running stack again, by facts and an event
	ansible-playbook playbooks/verify.yml $(ARGS)

status: setup ## look at the running stack without touching it
	ansible-playbook playbooks/status.yml $(ARGS)

down: setup ## take everything away again
	ansible-playbook playbooks/teardown.yml $(ARGS)

test: lint unit collection refusals molecule faults ## set everything up and run all tests

lint: setup-test ## ansible-lint, yamllint, ruff, mypy, antsibull-changelog
	ruff check .
	ruff format --check .
	mypy plugins/module_utils plugins/action plugins/filter plugins/callback scripts toolchain/provider-aws
	cd apps && mypy
	yamllint .
	ansible-lint
	antsibull-changelog lint

unit: setup-test ## fast tests without a cluster
	HELM="$$(python scripts/part.py helm helm)" pytest

collection: setup-test ## what others get: sanity, documentation, the artifact on each ansible-core, the execution environment
	pytest tests/collection

molecule: setup-test ## the whole stack on an embedded node of its own, and in somebody else's cluster
	molecule test --all

refusals: setup-test ## bad input and bad surroundings, and what real AWS would get
	HELM="$$(python scripts/part.py helm helm)" pytest tests/refusals tests/rendering

faults: setup-test ## interruption, killed processes, lost data
	pytest tests/faults

setup:
	@$(PYTHON) scripts/setup_environment.py

setup-test:
	@$(PYTHON) scripts/setup_environment.py --test

clean-cache: setup ## delete what was built for embedded nodes (all checkouts' cache)
	@python scripts/clean_cache.py
