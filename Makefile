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
# A bundle that `up` takes all from, a file or a URL, and the key that `bundle` signs with (minisign's or cosign's).
BUNDLE ?=
BUNDLE_KEY ?=
# Of save and restore: the snapshot's name, or with a slash the path of its file.
NAME ?=
# Of report: json prints the facts as data, and nothing else, on standard output; WATCH=1 serves the page on this machine and keeps it live.
FORMAT ?=
WATCH ?=
IMAGE ?= localcloud/users-api:local
# What is given for these is data: make does not expand it, and recipes take it from the environment, so that no shell reads it.
GIVEN := ARGS BLUEPRINT DIR ENV NAME API_URL FORMAT WATCH IMAGE ENGINE ENDPOINT ACCOUNT PART TO BUNDLE BUNDLE_KEY
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)
# An argument that gives Ansible's variable $(1) the value of the environment's $(2).
EXTRA_VAR = -e "$$(python -c 'import json, os, sys; print(json.dumps({sys.argv[1]: os.environ[sys.argv[2]]}))' $(1) $(2))"
UNKNOWN_ENV = $(filter-out $(notdir $(wildcard inventories/*)),$(ENV))
NO_ENV = echo "ENV=$$ENV is not in inventories/, which has $(notdir $(wildcard inventories/*)). Copy one, change its settings, then run again."; exit 1
NO_NAME = echo "Give the snapshot a name: make $@ NAME=<name>, or a path with a slash. \`make snapshots\` lists what there is." >&2; exit 2
# By which a run takes what the bundle has; ARGS go before it.
BUNDLE_SETTINGS = "$${LOCALCLOUD_DIR:-$(CURDIR)}/.localcloud/bundle.json"
PLAY = python scripts/with_arguments.py ansible-playbook $(if $(BUNDLE),-e @$(BUNDLE_SETTINGS)) $(if $(BLUEPRINT),$(call EXTRA_VAR,stack_blueprint,BLUEPRINT))
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
.PHONY: help up verify status report down save restore snapshots doctor bundle new-blueprint test lint unit test-api bench bench-api bench-consumer bench-engines bench-first-run bench-bundle build-image check-charts check-secrets collection ci-summary \
	compat generate molecule refusals faults faults-load faults-table parts what-failed all-checks all-clusters setup setup-test clean-cache outdated raise test-matrix

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

up: setup ## set everything up and run site.yml; BUNDLE=<file or URL>: from a bundle, without Go, registries and internet
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

save: setup ## keep the running stack with its emulator's data in one file: NAME=<name or path>
	@$(if $(NAME),:,$(NO_NAME))
	$(PLAY) playbooks/save.yml $(call EXTRA_VAR,stack_snapshot_name,NAME)

restore: setup ## bring a saved stack back in place of the one that is there, and prove it: NAME=<name or path>
	@$(if $(NAME),:,$(NO_NAME))
	$(PLAY) playbooks/restore.yml $(call EXTRA_VAR,stack_snapshot_name,NAME)

snapshots: setup ## list the saved stacks
	@python scripts/snapshots.py

doctor: ## look at this machine before anything is done: what there is, which ways would work, how long and how big, which one `up` takes
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there. Install Python 3.11 or later with venv, then run again." >&2; exit 1; }
	@$(PYTHON) scripts/doctor.py

bundle: setup ## write all that BLUEPRINT (several: "pipeline users-api") and engine need into one archive, in DIR or .localcloud/bundles
	@mkdir -p .localcloud
	python scripts/with_arguments.py ansible-playbook playbooks/bundle.yml $(if $(BLUEPRINT),$(call EXTRA_VAR,bundle_blueprints,BLUEPRINT))
	@python scripts/bundle.py pack .localcloud/bundle-choice.json "$${DIR:-.localcloud/bundles}"

new-blueprint: setup ## a blueprint of your own that works at once, in DIR
	ansible-playbook playbooks/new_blueprint.yml $(call EXTRA_VAR,new_blueprint_dir,DIR)

# A cluster's tests take up to two cores: with two clusters on two, API servers stood still until clients gave up and the kubelet restarted them
# (docs/performance.md). So there is one for every two cores; checks take what is left.
CORES := $(or $(shell nproc 2>/dev/null),2)
CLUSTER_JOBS ?= $(shell echo $$(($(CORES) > 3 ? $(CORES) / 2 : 1)))
# What the workflow nightly.yml runs in jobs of their own, beside `make test` with NIGHTLY=1, which runs the tests that are marked `nightly`, too.
BY_NIGHT := molecule-upgrade $(if $(NIGHTLY),molecule-kind)
# Scenarios that begin only where there is room, as CI's time is limited and machines differ by ten times: within these minutes after `make test` began,
# and with NIGHTLY=1 always.
WHERE_ROOM := $(addprefix molecule-,kind existing pipeline gitops monitoring)
ROOM_MINUTES ?= 45
CLUSTERS := molecule-default faults molecule-ministack
CLUSTERS += $(filter-out $(BY_NIGHT),$(WHERE_ROOM))
CLUSTERS += $(filter-out $(CLUSTERS) $(BY_NIGHT),$(patsubst molecule/%,molecule-%,$(wildcard molecule/*)))
CHECKS := unit refusals collection lint check-charts check-secrets

JOBS := .localcloud/jobs
# A dry run runs lines with $(MAKE), too, and leaves the logs of the last run as they are.
DRY_RUN = $(findstring n,$(firstword -$(MAKEFLAGS)))
LOG = $(if $(DRY_RUN),/dev/null,$(JOBS)/$*.log)
# Its jobs build one after the other, so that none gives up the caches of compilers (cluster_keep_downloads).
test: export CI := $(or $(CI),true)
# What a user's own stack runs is not what is tested.
test: export LOCALCLOUD_KUBERNETES :=
test: export TEST_BEGAN := $(shell date +%s)
test: setup-test ## set everything up and run all tests; NIGHTLY=1: those that take longer, too
	@rm -rf $(JOBS) && mkdir -p $(JOBS)
	$(MAKE) --jobs 2 --keep-going --no-print-directory all-clusters all-checks \
	|| { $(MAKE) --no-print-directory what-failed; exit 1; }
	@cat $(JOBS)/left-out 2>/dev/null || true

# Once more at the end, as the others' output hides it: what failed in each job with the lines after it, where Ansible's YAML tells why; of
# long lines what they end with. Molecule draws a colored frame around Ansible's output.
what-failed:
	@for log in $(JOBS)/*.failed; do echo "--- $$log"; sed -E 's/\x1b\[[0-9;]*m//g; s/^ *│ //' $$log \
	| grep -aE -A 30 '^ *(E  |FAILED )|\[ERROR\]|fatal: ' | sed -E 's/.*(.{3000})$$/\1/' | tail -n 120; tail -n 5 $$log; done

all-clusters: parts
	$(MAKE) --jobs $(CLUSTER_JOBS) --keep-going --no-print-directory $(addprefix job-,$(CLUSTERS))

all-checks:
	$(MAKE) --jobs $(CORES) --keep-going --no-print-directory $(addprefix job-,$(CHECKS))

# A job of `make test`: each line begins with its name, and the last one says how long it took and how much CPU time its processes
# have used, without those of nodes, whose parent is init.
USED = "$$((EPOCHSECONDS - begin)) s, of CPU time $$(awk '{printf "%d", ($$16 + $$17) / 100}' /proc/$$$$/stat) s"
job-%: setup-test
	@set -o pipefail; mkdir -p $(JOBS); begin=$$EPOCHSECONDS; $(IF_ROOM) \
	$(BACKGROUND) $(MAKE) --no-print-directory $* 2>&1 | tee $(LOG) | sed --unbuffered 's/^/$*: /' \
	&& echo "$*: passed after "$(USED) \
	|| { echo "$*: failed after "$(USED); $(if $(DRY_RUN),,mv $(LOG) $(JOBS)/$*.failed;) exit 1; }

$(if $(NIGHTLY),,$(addprefix job-,$(WHERE_ROOM))): IF_ROOM = minutes=$$(((begin - $${TEST_BEGAN:-$$begin}) / 60)); \
	[ $$minutes -lt $(ROOM_MINUTES) ] || { echo "$*: left out, as \`make test\` began $$minutes min ago. \`make $*\` runs it, or NIGHTLY=1." \
	| tee --append $(if $(DRY_RUN),/dev/null,$(JOBS)/left-out); exit 0; };

# Checks take the time that clusters leave. By the folder, a cluster's test does not hold a process of theirs for one that it left.
$(addprefix job-,$(CHECKS)): BACKGROUND = LOCALCLOUD_DIR=$(CURDIR)/.localcloud/checks python scripts/background.py

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
	pytest tests/checks/test_check_charts.py tests/checks/test_large_target.py tests/checks/test_report_charts.py

check-secrets: setup-test ## gitleaks over all commits and files
	python scripts/check_secrets.py
	pytest tests/checks/test_check_secrets.py

ci-summary: ## the results of CI's jobs, from NEEDS
	@$(PYTHON) scripts/ci_summary.py

collection: setup-test ## what others get: documentation, the artifact on each ansible-core, the execution environment (NIGHTLY=1: ansible-test sanity, too)
	pytest tests/collection

# What a test that failed has printed, as lines of text instead of one of JSON, not wrapped at 80 columns.
LEGIBLE = ANSIBLE_CALLBACK_RESULT_FORMAT=yaml COLUMNS=160

# What a scenario runs in: of kind, beside a Docker daemon of its own, or with PODMAN=1 in Podman.
WITHIN_kind := python tests/in_docker/run.py $(if $(PODMAN),--podman)
molecule-%: setup-test
	$(LEGIBLE) $(WITHIN_$*) molecule test --scenario-name $*

molecule: $(patsubst molecule/%,molecule-%,$(wildcard molecule/*)) ## the whole stack on an embedded node of its own, in Docker, and in another owner's cluster

refusals: setup-test ## bad input and bad surroundings, and what real AWS would get
	HELM="$$(python scripts/part.py helm helm)" pytest tests/refusals tests/rendering

# Those beside the newest, which `make test` runs.
RELEASES = $$(python -c 'import yaml; print(*yaml.safe_load(open("toolchain/parts.yml"))["kubernetes_releases"])')
test-matrix: setup-test ## the stack on each other Kubernetes that a node may have, and an upgrade from one to the next (cold: 10 min for each)
	@failed=; for release in $(RELEASES); do LOCALCLOUD_KUBERNETES=$$release $(MAKE) --no-print-directory molecule-ministack || failed="$$failed $$release"; done; \
	$(MAKE) --no-print-directory molecule-upgrade || failed="$$failed upgrade"; \
	test -z "$$failed" || { echo "Failed:$$failed" >&2; exit 1; }

faults: setup-test ## interruption, killed processes, lost data
	pytest tests/faults --durations=20

faults-load: setup-test ## components killed and frozen, disk full, make up killed, all under load; ARGS='-k etcd --seed=1', and --nightly for all faults
	python scripts/with_arguments.py pytest tests/faults_under_load

faults-table: setup-test ## write what faults-load saw last into docs/faults.md
	python scripts/faults_table.py .localcloud/faults-under-load.json

setup:
	@$(PYTHON) scripts/setup_environment.py $(if $(BUNDLE),--bundle "$$BUNDLE" --settings $(BUNDLE_SETTINGS))

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

bench-consumer: setup-test ## events per second of consumers and producer beside bare loops of boto3, and an event's time, by the running stack's emulator (2 to 5 min)
	python benchmarks/consumer.py

bench-first-run: setup-test ## what a first run takes on each way to a cluster, for README (15 min)
	python benchmarks/first_run.py

bench-bundle: setup ## a bundle of a node, one of a kind cluster, and from each to a verified event without a network, beside a warm make up (20 min)
	python benchmarks/bundle.py embedded
	python benchmarks/bundle.py kind

clean-cache: setup ## delete what was built for embedded nodes (all checkouts' cache); ARGS=--downloads: only what building left beside it
	@python scripts/with_arguments.py python scripts/clean_cache.py
