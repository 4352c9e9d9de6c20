# make up: from nothing to a verified event. make test: everything that proves it. ARGS goes to ansible-playbook, word by word.
SHELL := /bin/bash
PYTHON ?= python3
ARGS ?=
# pipeline, users-api, config-api, or a folder such as ../orders. Without one, up brings up the pipeline; verify, status and down are about all.
BLUEPRINT ?=
DIR ?=
# An environment is a folder in inventories/, whose settings go before those of inventories/local; `up` takes several: ENV="dev prod".
ENV ?=
# Of compat: an engine to start, or the address of one that runs (aws: real AWS) and the account that may be used there.
ENGINE ?=
ENDPOINT ?=
ACCOUNT ?=
# Of raise: which pin, and to which version instead of the newest.
PART ?=
TO ?=
API_URL ?=
# Of report: json prints the facts as data, and nothing else, on standard output; WATCH=1 serves the page on this machine and keeps it live.
FORMAT ?=
WATCH ?=
IMAGE ?= localcloud/users-api:local
# What is given for these is data: make does not expand it, and recipes take it from the environment, so that no shell reads it.
GIVEN := ARGS BLUEPRINT DIR ENV API_URL FORMAT WATCH IMAGE ENGINE ENDPOINT ACCOUNT PART TO
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)
# An argument that gives Ansible's variable $(1) the value of the environment's $(2).
EXTRA_VAR = -e "$$(python -c 'import json, os, sys; print(json.dumps({sys.argv[1]: os.environ[sys.argv[2]]}))' $(1) $(2))"
UNKNOWN_ENV = $(filter-out $(notdir $(wildcard inventories/*)),$(ENV))
NO_ENV = echo "ENV=$$ENV is not in inventories/, which has $(notdir $(wildcard inventories/*)). Copy one, change its settings, then run again."; exit 1
PLAY = python scripts/with_arguments.py ansible-playbook $(if $(BLUEPRINT),$(call EXTRA_VAR,stack_blueprint,BLUEPRINT))
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# What runs, where and with which settings is said by this checkout. Variables of the shell that say otherwise are taken out, but
# for Ansible's that change only what it prints, decrypts with and downloads from. plugins/module_utils/common/environment.py does the
# same for clients of Kubernetes, Helm and AWS where no make runs.
KEPT := ANSIBLE_ASK_VAULT_PASS ANSIBLE_CALLBACK_% ANSIBLE_DEBUG ANSIBLE_DISPLAY_% ANSIBLE_FORCE_COLOR ANSIBLE_GALAXY_% \
	ANSIBLE_KEEP_REMOTE_FILES ANSIBLE_LOG_% ANSIBLE_NOCOLOR ANSIBLE_TEST_% ANSIBLE_VAULT_% ANSIBLE_VERBOSITY
unexport $(filter-out $(KEPT),$(filter ANSIBLE_% K8S_AUTH_% HELM_KUBE%,$(.VARIABLES))) HELM_BIN HELM_DEBUG HELM_DRIVER \
	HELM_DRIVER_SQL_CONNECTION_STRING HELM_MAX_HISTORY HELM_NAMESPACE PYTHONHOME PYTHONOPTIMIZE PYTHONPATH PYTHONSAFEPATH
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Ansible refuses any other encoding.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := C.UTF-8
endif
# Helm and kubectl would else keep what kinds a cluster has in the home folder.
export KUBECACHEDIR ?= $(CURDIR)/.localcloud/kube
.PHONY: help up verify status report down new-blueprint test lint unit test-api bench bench-api bench-engines build-image check-charts check-secrets collection ci-summary \
	compat generate molecule refusals faults parts what-failed all-checks all-clusters setup setup-test clean-cache outdated raise

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: setup ## set everything up and run site.yml
	@$(if $(UNKNOWN_ENV),$(NO_ENV),:)
	$(if $(ENV),set -e; $(foreach one,$(ENV),$(PLAY) -i inventories/local -i inventories/$(one) site.yml;),$(PLAY) site.yml)

verify: setup ## prove the running stack again, by facts and an event
	$(PLAY) playbooks/verify.yml

status: setup ## look at the running stack without touching it
	$(PLAY) playbooks/status.yml

report: ## one page that shows all of it, .localcloud/report.html; FORMAT=json prints it as data, WATCH=1 serves it live
	@case "$$FORMAT" in ""|json) ;; *) echo "FORMAT=$$FORMAT is unknown. Take FORMAT=json, or none for the page." >&2; exit 2;; esac
	@$(PYTHON) scripts/setup_environment.py >&2
	@$(if $(WATCH),python scripts/report_watch.py ,)$(PLAY) playbooks/report.yml $(if $(FORMAT),>&2 && cat "$${LOCALCLOUD_DIR:-$(CURDIR)}/.localcloud/report.json")

down: setup ## take everything away again, or the one BLUEPRINT
	$(PLAY) playbooks/teardown.yml

new-blueprint: setup ## a blueprint of your own that works at once, in DIR
	ansible-playbook playbooks/new_blueprint.yml $(call EXTRA_VAR,new_blueprint_dir,DIR)

# Tests of clusters mostly wait: two of them run at once, the longest first, and the checks beside them, one after the other.
CLUSTER_JOBS ?= 2
CLUSTERS := $(addprefix molecule-,ministack default existing) faults molecule-pipeline
CLUSTERS += $(filter-out $(CLUSTERS),$(patsubst molecule/%,molecule-%,$(wildcard molecule/*)))
CHECKS := lint unit refusals collection check-charts check-secrets

JOBS := .localcloud/jobs
# A dry run runs lines with $(MAKE), too, and leaves the logs of the last run as they are.
DRY_RUN = $(findstring n,$(firstword -$(MAKEFLAGS)))
LOG = $(if $(DRY_RUN),/dev/null,$(JOBS)/$*.log)
test: setup-test ## set everything up and run all tests
	@rm -rf $(JOBS) && mkdir -p $(JOBS)
	$(MAKE) --jobs 2 --keep-going --no-print-directory all-checks all-clusters \
	|| { $(MAKE) --no-print-directory what-failed; exit 1; }

# Once more at the end, as the others' output hides it: what failed in each job, of long lines what they end with. Molecule draws a colored
# frame around Ansible's output.
what-failed:
	@for log in $(JOBS)/*.failed; do echo "--- $$log"; sed -E 's/\x1b\[[0-9;]*m//g; s/^ *│ //' $$log \
	| grep -aE '^ *(E  |FAILED )|\[ERROR\]|fatal: ' | sed -E 's/.*(.{3000})$$/\1/' | tail -n 30; tail -n 5 $$log; done

all-checks:
	$(MAKE) --jobs 1 --keep-going --no-print-directory $(addprefix job-,$(CHECKS))

all-clusters: parts
	$(MAKE) --jobs $(CLUSTER_JOBS) --keep-going --no-print-directory $(addprefix job-,$(CLUSTERS))

# A job of `make test`: each line begins with its name, and the last one says how long it took.
job-%: setup-test
	@set -o pipefail; mkdir -p $(JOBS); begin=$$EPOCHSECONDS; \
	$(BACKGROUND) $(MAKE) --no-print-directory $* 2>&1 | tee $(LOG) | sed --unbuffered 's/^/$*: /' \
	&& echo "$*: passed after $$((EPOCHSECONDS - begin)) s" \
	|| { echo "$*: failed after $$((EPOCHSECONDS - begin)) s"; $(if $(DRY_RUN),,mv $(LOG) $(JOBS)/$*.failed;) exit 1; }

# Checks take the time that clusters leave. By the folder, a cluster's test does not hold a process of theirs for one that it left.
$(addprefix job-,$(CHECKS)): BACKGROUND = LOCALCLOUD_DIR=$(CURDIR)/.localcloud/checks nice -n 5

parts: setup-test ## build everything that clusters of the tests are made of
	ansible-playbook tests/parts.yml

lint: setup-test ## ansible-lint, yamllint, ruff, mypy, antsibull-changelog
	ruff check .
	ruff format --check .
	mypy plugins scripts toolchain/provider-aws
	mypy compat
	cd apps && mypy
	cd crossplane/event_pipeline/function && mypy
	yamllint .
	ansible-lint
	antsibull-changelog lint

generate: setup-test ## write what follows from AWS kinds, engines, the schema of blueprints and dashboards into the files that say it too
	python scripts/generate.py
	python scripts/dashboards.py
	ruff format --quiet plugins/module_utils/aws_resources/kinds plugins/module_utils/emulators/engines

unit: setup-test ## fast tests without a cluster
	HELM="$$(python scripts/part.py helm helm)" pytest
	cd apps/users_api && pytest
	pytest tests/api --api-url=local

test-api: setup-test ## every endpoint of the running users API, or of another by API_URL=http://…
	@. .localcloud/env 2>/dev/null; url="$$API_URL"; url="$${url:-$$USERS_API_URL}"; \
	test -n "$$url" || { echo "No users API runs here (USERS_API_URL in .localcloud/env). Give one: make test-api API_URL=http://…"; exit 1; }; \
	pytest tests/api --api-url="$$url"

bench-api: setup-test ## what the users API costs beside boto3 alone, by a MiniStack and a service of its own or API_URL=http://…
	python benchmarks/api.py $(if $(API_URL),--api-url="$$API_URL")

build-image: ## build the users API's image with Docker
	docker build --tag "$$IMAGE" --file apps/users_api/Dockerfile .

check-charts: setup-test ## charts, rules and Dockerfiles: helm lint, helm-unittest, promtool, kubeconform, kube-score, Checkov
	python scripts/check_charts.py
	pytest tests/checks/test_check_charts.py tests/checks/test_large_target.py

check-secrets: setup-test ## gitleaks over all commits and files
	python scripts/check_secrets.py
	pytest tests/checks/test_check_secrets.py

ci-summary: ## the results of CI's jobs, from NEEDS
	@$(PYTHON) scripts/ci_summary.py

collection: setup-test ## what others get: sanity, documentation, the artifact on each ansible-core, the execution environment
	pytest tests/collection

# What a test that failed has printed, as lines of text instead of one of JSON, not wrapped at 80 columns.
LEGIBLE = ANSIBLE_CALLBACK_RESULT_FORMAT=yaml COLUMNS=160

molecule-%: setup-test
	$(LEGIBLE) molecule test --scenario-name $*

molecule: setup-test ## the whole stack on an embedded node of its own, and in somebody else's cluster
	$(LEGIBLE) molecule test --all

refusals: setup-test ## bad input and bad surroundings, and what real AWS would get
	HELM="$$(python scripts/part.py helm helm)" pytest tests/refusals tests/rendering

faults: setup-test ## interruption, killed processes, lost data
	pytest tests/faults

setup:
	@$(PYTHON) scripts/setup_environment.py

setup-test:
	@$(PYTHON) scripts/setup_environment.py --test

compat: setup-test ## what ENGINE=localstack|ministack (both without it), or ENDPOINT=http://… does as AWS documents it (4 min)
	pytest compat $(if $(ENGINE),--engine="$$ENGINE") $(if $(ENDPOINT),--endpoint="$$ENDPOINT") $(if $(ACCOUNT),--account="$$ACCOUNT")

outdated: setup-test ## every pin with its newest release and its upstream's end of support
	python scripts/outdated.py

raise: setup-test ## change a pin and what follows from it: PART=helm, or a requirement as PART=boto3; TO=v1.2.3 for another than the newest
	@test -n "$$PART" || { echo "Which one? make raise PART=helm (make outdated lists all)"; exit 1; }
	python scripts/outdated.py raise "$$PART" $${TO:+"$$TO"}

bench: setup-test ## declared resources beside kubectl apply, a re-run beside a shell script (30 min)
	python benchmarks/resources.py

bench-engines: setup-test ## start time, memory and events per second of each engine (10 min)
	python benchmarks/engines.py

clean-cache: setup ## delete what was built for embedded nodes (all checkouts' cache)
	@python scripts/clean_cache.py
