# Each verb is one line over `python -m reprise VERB`, which works without make as well.
# It ends in one exec'd command, so that a signal reaches that command and no shell in its place.
SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
python := .venv/bin/python
ready := .venv/.ready

# What was typed reaches the shell as it was typed: ${seed}, [0.5,1.5] and choice(1,2) are for Hydra.
typed = $(if $(filter command,$(firstword $(origin $(1)))),$(value $(1)))
override exp := $(call typed,exp)
override args := $(call typed,args)
override run := $(call typed,run)
override split := $(call typed,split)
override sweep := $(call typed,sweep)
override runs := $(call typed,runs)
override sort := $(call typed,sort)
override top := $(call typed,top)
override model := $(call typed,model)
override input := $(call typed,input)
override output := $(call typed,output)
override port := $(call typed,port)
override name := $(call typed,name)
override precision := $(call typed,precision)
override by := $(call typed,by)
override path := $(call typed,path)
override kind := $(call typed,kind)
override data := $(call typed,data)
override engine := $(call typed,engine)
override how := $(call typed,how)
override from := $(call typed,from)
override alias := $(call typed,alias)
override to := $(call typed,to)
override format := $(call typed,format)
override host := $(call typed,host)
override int8 := $(call typed,int8)
export exp args run split model input output port name alias to format int8 host sweep runs sort top precision by path kind data engine how from

# args is cut into words as a command line is (quotes hold words together); nothing else is expanded.
words = text=$$(xargs -r printf '%s\n' <<< "$$args") || exit 2; \
	words=(); [[ -z $$text ]] || mapfile -t words <<< "$$text"
# Words that have no name here, such as seed=3, go to the verb as they are, in quotes.
others := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $v))),$v))
other = $(foreach v,$(others),'$(subst ','\'',$v=$(value $v))')
verb = @$(words); exec $(python) -m reprise $@ $(other)
with_exp = $${exp:+"experiment=$$exp"} "$${words[@]}"
with_model = $${run:+"run=$$run"} $${model:+"model=$$model"}
with_run = "run=$$run" $${split:+"split=$$split"} "$${words[@]}"

.PHONY: help
help:  ## Say what can be typed here
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup:  ## Make .venv with everything in it (every other verb does so when it must) [args="s3 gs azure ssh": DVC remotes]
	@$(words); exec scripts/setup.sh "$${words[@]}"

.PHONY: doctor
doctor:  ## Say what this machine has, and what to do about what is missing [args="tensorflow=true"]
	@$(words); exec $(or $(wildcard $(python)),python3) src/reprise/cli/doctor.py "$${words[@]}"

.PHONY: train
train: $(ready)  ## Train and track one experiment: exp=NAME [args="key=value …"]
	$(verb) $(with_exp)

.PHONY: sweep
sweep: $(ready)  ## Train for several values of a key, or search them: exp=NAME args="key=1,2 … [sweep=tpe]"
	$(verb) $(with_exp)

.PHONY: resume
resume: $(if $(sweep),,need-run) $(ready)  ## Go on with what was stopped or killed: run=ID|last [args="force=true"], sweep=ID|last
	$(verb) $${sweep:+"sweep=$$sweep"} $${run:+"run=$$run"} "$${words[@]}"

.PHONY: data
data: $(ready)  ## Fetch or make the data that is missing, compare what is there [args="NAME accept=true"]
	$(verb) "$${words[@]}"

.PHONY: add-data
add-data: $(ready)  ## Put data of your own under data/, checked and tracked by DVC: path=PATH name=NAME [how=copy|link|move kind=masks]
	$(verb) $${path:+"path=$$path"} $${name:+"name=$$name"} $${how:+"how=$$how"} $${kind:+"kind=$$kind"} "$${words[@]}"

.PHONY: check-data
check-data: $(ready)  ## Read every sample of an experiment and list what is wrong: exp=NAME [args="strict=true quarantine=true"]
	$(verb) $(with_exp)

.PHONY: preview
preview: $(ready)  ## Draw samples as the model will see them: exp=NAME
	$(verb) $(with_exp)

.PHONY: config
config: $(ready)  ## Print the composed config of an experiment: exp=NAME
	$(verb) $(with_exp)

.PHONY: hash-batches
hash-batches: $(ready)  ## Print the fingerprint of the batches an experiment trains on: exp=NAME
	$(verb) $(with_exp)

.PHONY: profile
profile: $(ready)  ## See where the time of training goes, stage by stage: exp=NAME
	$(verb) $(with_exp)

.PHONY: evaluate
evaluate: $(if $(model),,need-run) $(ready)  ## Score a run's best checkpoint again: run=ID|model=NAME@alias [split=test]
	$(verb) $(with_model) $${split:+"split=$$split"} "$${words[@]}"

.PHONY: predict
predict: $(if $(model),,need-run) $(ready)  ## Answer inputs without labels: run=ID|model=NAME@alias input=PATH|test [output=PATH args="overlay=true …"]
	$(verb) $(with_model) $${input:+"input=$$input"} $${output:+"output=$$output"} "$${words[@]}"

.PHONY: calibrate
calibrate: need-run $(ready)  ## Fit a temperature and thresholds for a run's model, which predict uses: run=ID [precision=0.9]
	$(verb) "run=$$run" $${precision:+"precision=$$precision"} $${by:+"by=$$by"} "$${words[@]}"

.PHONY: report
report: $(if $(model),,need-run) $(ready)  ## Write a page about a run and its model, one HTML file: run=ID|model=NAME@alias [output=FILE]
	$(verb) $(with_model) $${output:+"output=$$output"} "$${words[@]}"

.PHONY: export
export: $(if $(model),,need-run) $(ready)  ## Write a model for other programs, and compare its answers: run=ID|model=NAME@alias format=saved_model|onnx|litert [int8=true output=PATH]
	$(verb) $(with_model) $${format:+"format=$$format"} $${int8:+"int8=$$int8"} $${output:+"output=$$output"} "$${words[@]}"

.PHONY: serve
serve: $(if $(model),,need-run) $(ready)  ## Answer requests over HTTP: run=ID|model=NAME@alias [port=5001 host=127.0.0.1]
	$(verb) $(with_model) $${port:+"port=$$port"} $${host:+"host=$$host"} "$${words[@]}"

.PHONY: promote
promote: need-run $(ready)  ## Register a run's model, if it is better than the one that has the alias: run=ID name=NAME [alias=champion args="force=true"]
	$(verb) "run=$$run" $${name:+"name=$$name"} $${alias:+"alias=$$alias"} "$${words[@]}"

.PHONY: models
models: $(ready)  ## List the registered models [args="uri=ADDRESS"]
	$(verb) "$${words[@]}"

.PHONY: reproduce
reproduce: need-run $(ready)  ## Train a run again from its record, and compare: run=ID|last [args="epochs=N code=here"]
	$(verb) $(with_run)

.PHONY: clone
clone: need-run $(ready)  ## Make a folder to take a run further in: code, config and data as they were: run=ID|last [to=FOLDER]
	$(verb) "run=$$run" $${to:+"to=$$to"} "$${words[@]}"

.PHONY: export-run
export-run: need-run $(ready)  ## Pack a run into one file, which reproduce takes anywhere: run=ID|last [to=FILE.zip args="data=true"]
	$(verb) "run=$$run" $${to:+"to=$$to"} "$${words[@]}"

.PHONY: runs
runs: $(ready)  ## List the runs on this machine, and which of them can be resumed
	$(verb) "$${words[@]}"

.PHONY: sync
sync: $(ready)  ## Bring MLflow what it lacks of any run [args="uri=ADDRESS"]
	$(verb) "$${words[@]}"

.PHONY: compare
compare: $(ready)  ## Put runs side by side, table and curves: [exp=NAME|sweep=ID|runs=A,B] [sort=METRIC top=N]
	$(verb) $${exp:+"experiment=$$exp"} $${sweep:+"sweep=$$sweep"} $${runs:+"runs=$$runs"} \
		$${sort:+"sort=$$sort"} $${top:+"top=$$top"} "$${words[@]}"

.PHONY: diff
diff: $(ready)  ## Say what differs between two runs: runs=A,B [args="show=config|code|data|packages|machine|metrics"]
	$(verb) $${runs:+"runs=$$runs"} "$${words[@]}"

.PHONY: update
update: need-run $(ready)  ## Let a run's model learn from new data: run=ID args="dataset.KEY=VALUE … [old=0.2]"
	$(verb) $(with_run)

.PHONY: ui
ui: $(ready)  ## Show the runs of an experiment in a browser, on this machine only [exp=NAME port=5000]
	$(verb) $${exp:+"experiment=$$exp"} $${port:+"port=$$port"} "$${words[@]}"

.PHONY: new-project
new-project: $(ready)  ## Begin a project of your own on your data: path=FOLDER kind=masks|folder|table|recordings|rows|arrays|csv|stream [data=PATH_OR_URL]
	$(verb) "path=$$path" "kind=$$kind" $${data:+"data=$$data"} $${engine:+"engine=$$engine"} "$${words[@]}"

.PHONY: new-dataset
new-dataset: $(ready)  ## Begin a dataset of your own: name=NAME [from=OPTION_OF_THE_ENGINE]
	$(verb) "name=$$name" $${from:+"from=$$from"} "$${words[@]}"

.PHONY: new-model
new-model: $(ready)  ## Begin a model of your own: name=NAME [from=OPTION_OF_THE_ENGINE]
	$(verb) "name=$$name" $${from:+"from=$$from"} "$${words[@]}"

.PHONY: new-objective
new-objective: $(ready)  ## Begin a loss of your own: name=NAME [from=OPTION_OF_THE_ENGINE]
	$(verb) "name=$$name" $${from:+"from=$$from"} "$${words[@]}"

.PHONY: updates
updates: $(ready)  ## Show what changed in the engine's files since they were copied by from=
	$(verb) "$${words[@]}"

.PHONY: test
test: $(ready)  ## Run the tests, all but the slow ones [args="pytest's words"]
	@$(words); exec $(python) -m pytest -n auto --dist loadfile "$${words[@]}"

.PHONY: test-slow
test-slow: $(ready)  ## Run the slow tests
	@$(words); exec $(python) -m pytest -m slow "$${words[@]}"

# $(call also,COMMAND,REMEDY) runs COMMAND whatever failed before it, and says how to mend its failure.
also = $(1) || { status=2; echo 'check: to mend this: $(2)' >&2; };

.PHONY: check
check: $(ready)  ## Check style, types and imports of src/reprise, scripts and tests
	@status=0; \
	$(call also,$(python) -m ruff check,make format mends a part; the rest by hand) \
	$(call also,$(python) -m ruff format --check,make format) \
	$(call also,$(python) -m mypy,correct the types at the lines above) \
	$(call also,.venv/bin/lint-imports --no-cache --no-logo,move the import down; docs/house.md shows the layers) \
	exit $$status

.PHONY: format
format: $(ready)  ## Format src/reprise, scripts and tests, and mend what ruff can
	@$(python) -m ruff check --fix --quiet --exit-zero
	@exec $(python) -m ruff format

.PHONY: bench
bench: $(ready)  ## Measure the loader beside others [args="quick=true work=NAME,NAME …"]
	@$(words); exec $(python) -m scripts.bench "$${words[@]}"

.PHONY: docs
docs: $(ready) build/zensical/bin/zensical  ## Build the site of the documentation in build/site, or show it [args=serve]
	@$(words); exec $(python) -m scripts.docs "$${words[@]}"

# In an environment of its own: what is installed in .venv is recorded with every run.
build/zensical/bin/zensical: requirements-docs.lock | $(ready)
	@.venv/bin/uv venv --quiet --clear build/zensical
	@.venv/bin/uv pip install --quiet --python build/zensical --require-hashes -r $<
	@touch $@

lock := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock' $(args)
extra = $(python) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))\
	['project']['optional-dependencies']['$(1)'], sep='\n')"

.PHONY: lock
lock: $(ready)  ## Write the lock files anew after a change of pyproject.toml [args=--upgrade]
	$(lock) pyproject.toml --extra dev --extra export --output-file requirements.lock
	$(call extra,gpu) | $(lock) - --constraint requirements.lock --output-file requirements-gpu.lock
	$(call extra,mysql) | $(lock) - --constraint requirements.lock --output-file requirements-mysql.lock
	$(call extra,bench) | $(lock) - --constraint requirements.lock --output-file requirements-bench.lock
	{ $(foreach one,s3 gs azure ssh,$(call extra,$(one));) } | \
		$(lock) - --constraint requirements.lock --output-file requirements-remotes.lock
	$(call extra,docs) | $(lock) - --constraint requirements.lock --output-file requirements-docs.lock

$(ready): pyproject.toml $(wildcard requirements*.lock) scripts/setup.sh
	@exec scripts/setup.sh

# A moved or copied checkout, or one whose Python is gone, is set up again.
ifneq ($(file < $(ready)) $(wildcard $(python)),$(CURDIR) $(python))
$(ready): set-up-again
endif

.PHONY: set-up-again
set-up-again:

.PHONY: need-run
need-run:
	@[[ -n $$run ]] || { echo 'Which run? Type run=ID; the runs are in runs/ and in make ui' >&2; exit 2; }
