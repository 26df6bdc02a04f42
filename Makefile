# Thin names over real commands; each recipe shows what it runs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PLAY = ANSIBLE_STDOUT_CALLBACK=trust.stack.phases ANSIBLE_FORCE_COLOR=$(if $(MAKE_TERMOUT),1,0) .venv/bin/ansible-playbook $(ASK)
# A user without root is asked for the sudo password once, when sudo needs one at all.
ASK = $(shell [ "$$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || echo --ask-become-pass)
LOCK = --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
STACK ?= inventories/local/stack.yml

.PHONY: help up drill down purge test test-system test-fast lint unit test-app molecule lock docs

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

up: ## Bring the whole stack up on this machine and sell a ticket through it
	@bin/bootstrap control
	@$(PLAY) -i $(STACK) playbooks/site.yml

drill: ## Let a part fail while buyers buy: make drill PART=database [HOW=power|kill|freeze]
	@bin/bootstrap control
	@$(PLAY) -i $(STACK) playbooks/drill.yml -e drill=$(or $(PART),database) $(if $(HOW),-e how=$(HOW))

down: ## Remove the local stack with its data; the image and .venv stay for the next time
	@bin/bootstrap control
	@$(PLAY) -i $(STACK) playbooks/destroy.yml

purge: down ## Remove also the images and .venv
	@tests/bin/purge

test: ## Pass the tests: lint, unit, app, the roles' scenarios, the whole stack and its failovers, AWS against moto
	@bin/bootstrap test
	@tests/bin/run all

test-system: ## The whole stack, its failovers, scaling, deploys and healing; a stack with provider ec2
	@bin/bootstrap test
	@tests/bin/run system

test-fast: ## Lint, unit tests and the app's tests (under 3 minutes)
	@bin/bootstrap test
	@tests/bin/run fast

lint: ## ruff, mypy, yamllint, ansible-lint
	@bin/bootstrap test
	@tests/bin/run lint

lock: ## Resolve the requirements anew (versions and hashes)
	@bin/bootstrap test
	@cd requirements && ../.venv/bin/uv pip compile $(LOCK) control.in -o control.txt
	@cd requirements && ../.venv/bin/uv pip compile $(LOCK) --extra test test.in ../app/pyproject.toml -o test.txt

docs: ## Write the variable tables of the roles' READMEs from their argument_specs
	@bin/bootstrap test
	@for role in roles/*/; do .venv/bin/aar-doc "$$role" markdown || exit 1; done
