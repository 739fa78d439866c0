# Every target sets up what it needs. Needs only Python 3.11 to 3.13 and make.
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-pages test-cluster scenarios scenario lint format bench plain airflow prefect dagster airflow-ui prefect-ui dagster-ui mlflow-ui lineage lineage-graph monitor which-tool demo-lineage serve cluster screenshots page kubernetes-check clean

MONTH ?= 2013-06
TOOL ?= plain
export MONTH SOURCE TOOL SCENARIO RUN MODEL FILE WORKERS PART
export PYTHONUNBUFFERED := 1
unexport PYTHONDONTWRITEBYTECODE

env = .local/env/$(1)/.ready
# The plain run and the tools of this repo need no orchestrator; they run in Dagster's environment, the smallest.
python = .local/env/dagster/bin/python
all = $(call env,airflow) $(call env,prefect) $(call env,dagster)
run_arguments = --source "$$SOURCE" -- "$$MONTH"

# The word after `scenario` is its id, no target.
ifeq (scenario,$(firstword $(MAKECMDGOALS)))
ID := $(or $(word 2,$(MAKECMDGOALS)),$(error which scenario? For example: make scenario R4))
$(ID):;@:
endif

help: ## this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '  make %-16s %s\n' "$$target" "$$text"; done

demo: $(all) ## two months, in plain Python and in the three orchestrators; one table that compares them
	@$(python) -m tools.demo

test: $(all) ## every test but those of test-pages and test-cluster, or a part: TOOL=prefect, SCENARIO=R4
	@$(python) -m tools.test $(if $(filter command environment,$(firstword $(origin TOOL))),--tool "$$TOOL") $(if $(SCENARIO),--scenario "$$SCENARIO")

test-fast: $(all) ## the tests that need no server and little time, in all environments
	@$(python) -m tools.test -m "not live and not slow"

test-pages: $(all) ## what a person does on the tools' pages and the comparison's, in Chromium: [TOOL=airflow]
	@$(python) -m tools.test --pages $(if $(filter command environment,$(firstword $(origin TOOL))),--tool "$$TOOL")

test-cluster: $(all) ## the conformance suite on each tool's distributed engine, S2, S3 and S5: [TOOL=airflow]
	@$(python) -m tools.test --cluster $(if $(filter command environment,$(firstword $(origin TOOL))),--tool "$$TOOL")

scenarios: $(call env,dagster) ## how each tool does in each scenario; keeps what the last `make test` saw
	@$(python) -m tools.scenarios && $(python) -m tools.mistakes && $(python) -m tools.readme && $(python) -m tools.scale

scenario: $(if $(RUN),$(all),$(call env,dagster)) ## one scenario in full: make scenario R4 [RUN=1, which runs its tests first]
	@$(if $(RUN),$(python) -m tools.test --scenario $(ID);) $(python) -m tools.scenarios $(ID)

plain: $(call env,dagster) ## one run without an orchestrator: MONTH=2013-06 [SOURCE=folder or URL]
	@$(python) -m shared.plain $(run_arguments)

airflow: $(call env,airflow) ## one run in Airflow, likewise
	@.local/env/airflow/bin/python -m airflow_impl.run $(run_arguments)

prefect: $(call env,prefect) ## one run in Prefect, likewise
	@.local/env/prefect/bin/python -m prefect_impl.run $(run_arguments)

dagster: $(call env,dagster) ## one run in Dagster, likewise
	@$(python) -m dagster_impl.run $(run_arguments)

airflow-ui: $(call env,airflow) ## Airflow's web UI with the pipeline in it; Ctrl-C stops it
	@.local/env/airflow/bin/python -m airflow_impl.ui

prefect-ui: $(call env,prefect) ## Prefect's, likewise
	@.local/env/prefect/bin/python -m prefect_impl.ui

dagster-ui: $(call env,dagster) ## Dagster's, likewise
	@$(python) -m dagster_impl.ui

cluster: $(if $(filter airflow prefect dagster,$(TOOL)),$(call env,$(TOOL)),which-tool) ## a tool's distributed engine, as if on several machines: TOOL=prefect [WORKERS=2] [MONTH=2013-06, which is run on it]
	@.local/env/$(TOOL)/bin/python -m $(TOOL)_impl.cluster --workers "$${WORKERS:-2}" $(if $(filter command environment,$(firstword $(origin MONTH))),--month "$$MONTH")

mlflow-ui: $(call env,dagster) ## MLflow's: the runs and models of all tools
	@$(python) -m shared.runtime.mlflow_ui

lineage: $(if $(filter airflow prefect dagster,$(TOOL)),$(call env,$(TOOL)),which-tool) ## what a tool knows of a model or a file: TOOL=dagster MODEL=champion, or FILE=flights/2013-05.csv
	@.local/env/$(TOOL)/bin/python -m $(TOOL)_impl.lineage $(if $(FILE),--file "$$FILE",--model "$${MODEL:-champion}")

lineage-graph: $(call env,dagster) $(if $(filter airflow prefect,$(TOOL)),$(call env,$(TOOL))) ## a run's OpenLineage events as a picture: TOOL=plain|airflow|prefect|dagster
	@$(python) -m tools.lineage_graph --tool "$$TOOL" --month "$$MONTH"

monitor: $(if $(filter airflow prefect dagster,$(TOOL)),$(call env,$(TOOL)),which-tool) ## a tool's web UI, and Prometheus over its metrics, with alerts: TOOL=dagster
	@.local/env/$(TOOL)/bin/python -m $(TOOL)_impl.monitor

which-tool:
	@echo "error: TOOL is '$(TOOL)', expected airflow, prefect or dagster; for example: make $(firstword $(MAKECMDGOALS)) TOOL=dagster" >&2; exit 1

demo-lineage: $(all) ## what each tool knows about the demo's champion, for the README
	@$(python) -m tools.demo_lineage && $(python) -m tools.readme

serve: $(call env,dagster) ## serve a champion over HTTP: TOOL=plain|airflow|prefect|dagster
	@$(python) -m shared.runtime.serve --tool "$$TOOL"

lint: $(all) ## formatting, types, imports, lock file, generated parts of the README
	@sh tools/lint.sh

format: $(call env,dagster) ## format the code and write the generated files
	@$(python) -m ruff check --quiet --fix . ; $(python) -m ruff format --quiet . && $(python) -m tools.grafana && $(python) -m tools.readme && $(python) -m tools.scale

bench: $(all) ## time and memory, in about two hours, kept for the page; or a part: PART=fan-out [KEEP=1]
	@$(python) -m bench $(if $(PART),--part "$$PART") $(if $(KEEP),--keep)

page: $(call env,dagster) ## write the comparison page to .local/page, from the code and what is kept in docs
	@$(python) -m page

screenshots: $(all) ## take the pictures in docs/img: a run in each tool's web UI; needs Chromium
	@$(python) -m tools.screenshots

kubernetes-check: $(call env,kubernetes) ## check the images and values in deploy/, and, with helm, what the charts make of them: [CHARTS=folder]
	@.local/env/kubernetes/bin/python -m tools.kubernetes

clean: ## remove everything made at run time, the environments included
	rm -rf .local

.local/env/%/.ready: pyproject.toml uv.lock tools/setup.sh
	@sh tools/setup.sh $*
