# Two commands do it all on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer with pip, and make.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo run test lint format bench package deploy smoke peers clean

setup: .venv/.done

.venv/.done: requirements.txt requirements-dev.txt mock_server/requirements.txt client/requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 setup"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt
	@touch $@

demo: setup  ## verify one test identity through the whole system, print the answer, exit
	@$(BIN)/python -m local_stack --once

run: setup  ## keep the whole system serving on a laptop
	@$(BIN)/python -m local_stack

test: setup  ## all tests
	$(BIN)/python -m pytest

lint: setup  ## ruff and mypy, both strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## speed, memory and cost, beside the named peers, in one run
	@$(BIN)/python -m benchmarks

# make deploy STAGE=prod BUCKET=a-bucket [SECRET=secret.json] [PARAMETERS="ApiRate=100 LogDays=90"]
deploy: package  ## a stage on AWS, over the AWS CLI; everything is checked before a change
	@$(BIN)/python -m tools.deploy --stage "$(STAGE)" --bucket "$(BUCKET)" \
		$(if $(SECRET),--secret "$(SECRET)") $(PARAMETERS)

# KEY=<a client's key> make smoke STAGE=prod, or URL=https://…
smoke: setup  ## whether a stage works, without a paid call
	@$(BIN)/python -m tools.smoke $(if $(URL),--url "$(URL)",--stage "$(STAGE)")

package: setup  ## build/deployment.zip and build/sam.json, ready to deploy
	@$(BIN)/python -m tools.package

peers: setup  ## optional: ministack, an AWS stand-in; by npm (Linux x64) dynoxide and WireMock
	$(BIN)/python -m tests.e2e.ministack
	npm install --silent --no-audit --no-fund --no-save --prefix .peers \
		@dynoxide/linux-x64@1.2.1 wiremock@3.13.2 standardwebhooks@1.1.1

clean:
	rm -rf .venv .peers build .pytest_cache .mypy_cache .ruff_cache .hypothesis
