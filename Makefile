# Each command of `python -m runner` by its name, after what is missing has been installed; and what developers run.

runner := runner/bootstrap.sh -- .venv/bin/python -m runner
tested := runner/bootstrap.sh test -- .venv/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help bootstrap doctor prepare site status verify kubectl ssh timeline clean destroy test role lint unit integration lock roles

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

bootstrap: ## install what the runner needs: system packages, Docker, virtual environment
	@runner/bootstrap.sh

doctor: ## what this machine lacks, each with its remedy
	@$(runner) doctor

prepare: ## binaries and images into the cache; afterwards no network is needed
	@$(runner) prepare

site: ## from whatever is there to a running cluster with the demonstrator on it
	@$(runner) site

status: ## nodes, pods, services, certificates
	@$(runner) status

verify: ## every host, as tests/hosts expects it
	@$(runner) verify

kubectl: ## kubectl on the cluster: `make kubectl ARGS='get pods'`
	@$(runner) kubectl $(ARGS)

timeline: ## the last run as a picture
	@$(runner) timeline

ssh: ## a shell on a host: `make ssh HOST=node-1`; the controller without HOST
	@$(runner) ssh $(or $(HOST),controller)

clean: ## remove from the cache what no checkout uses (`python -m runner clean --dry-run` shows it)
	@$(runner) clean

destroy: ## remove this checkout's hosts
	@$(runner) destroy

# The cluster's tests: a run that changes nothing, then the hosts, the API and the pages.
whole := tests/machines tests/site tests/hosts tests/cluster tests/app
test: lint integration ## all checks and tests, with a cluster of their own beside yours (KEEP=1 leaves it in .cluster/tests)
	@$(tested) tests.own_cluster $(wildcard $(whole))

# Two hosts at most, in a network of their own beside whatever cluster runs.
role: prepare ## roles by themselves, with defaults and with all variables changed: `make role ROLE=etcd`; all roles without ROLE
	@$(tested) pytest --verbose --exitfirst tests/roles $(addprefix --role=,$(ROLE))

# Side by side, since ansible-lint takes as long as all others; each tool's output stays together.
checks := check-ansible check-types check-code check-format check-imports check-roles check-spelling check-yaml
.PHONY: $(checks)
lint: ## every static check
	@runner/bootstrap.sh test
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync $(checks)

check-ansible:
	PATH="$(CURDIR)/.venv/bin:$$PATH" ansible-lint --offline
check-types:
	.venv/bin/mypy
check-code:
	.venv/bin/ruff check .
check-format:
	.venv/bin/ruff format --check .
check-imports:
	.venv/bin/lint-imports --no-cache --no-logo
check-roles:
	.venv/bin/python -m tests.support.role_specs --check
check-spelling:
	.venv/bin/codespell
check-yaml:
	.venv/bin/yamllint --strict .

# The figure counts once, for both together.
measured := --cov --cov-report= --cov-fail-under=0
unit: ## the tests that need nothing but Python
	@$(tested) pytest -n 2 $(measured) tests/unit

integration: unit ## the tests that start processes, containers and compilers; then the coverage of both
	@$(tested) pytest -n 2 --dist loadfile $(measured) --cov-append tests/integration
	@.venv/bin/coverage report --skip-covered --sort=cover

roles: ## write what roles say of themselves: shared variables of their specifications, READMEs
	@runner/bootstrap.sh test
	.venv/bin/python -m tests.support.role_specs

# --universal: for every Python from 3.11 on; the hashes are those of all files that a package publishes.
compile := .venv/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header
lock: ## renew the pinned versions of all Python packages
	@runner/bootstrap.sh test
	$(compile) --output-file requirements.lock
	$(compile) --extra test --constraints requirements.lock --output-file requirements-test.lock
