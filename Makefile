# On a new machine `make figures` and `make test` set up .venv from exact pins first.
# With an overlay over config.yaml:  make figures CONFIG=mine.yaml

## PYTHON=python3: the Python that .venv is made from, 3.11 to 3.13
PYTHON ?= python3
## CONFIG=mine.yaml: a study file that is laid over config.yaml, or several in quotes
CONFIG ?=
## CORES=2: how many jobs run at once
CORES ?= 2
## PROFILE=local: `local` for this machine, `slurm` for a cluster, or a folder with a profile.yaml
PROFILE ?= local
## MAX_HOURS=8: of `make plan`: say what so many hours would leave out
MAX_HOURS ?=
## CALIBRATE=1: of `make plan`: time a few updates of what was never run here
CALIBRATE ?=
## DEVICE=cpu: of `make bench`: cpu or cuda
DEVICE ?= cpu
## UPDATES=30: of `make bench`: updates of a training
UPDATES ?= 30
## REPETITIONS=3: of `make bench`: how often each is measured
REPETITIONS ?= 3
## PAIRS=100000: of `make bench`: most sentence pairs of the text steps
PAIRS ?= 100000

# Make would ignore a misspelt variable, and run the default study in place of the one that is meant.
PASSED_ON := SHELL MAKEFLAGS -% MTPEFT_% CUDA_% OMP_% HF_% SLURM_% TMPDIR
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
OF_BENCH := DEVICE UPDATES REPETITIONS PAIRS
KNOWN := PYTHON CONFIG CORES PROFILE MAX_HOURS CALIBRATE $(OF_BENCH)
UNKNOWN := $(firstword $(filter-out $(KNOWN) $(PASSED_ON),$(GIVEN)))
ifneq ($(UNKNOWN),)
$(error '$(UNKNOWN)' is no variable of this Makefile; write CALIBRATE, CONFIG, CORES, MAX_HOURS, PROFILE or PYTHON, in capitals)
endif
UNUSED := $(if $(filter bench,$(MAKECMDGOALS)),,$(firstword $(filter $(OF_BENCH),$(GIVEN))))
ifneq ($(UNUSED),)
$(error '$(UNUSED)' is a variable of `make bench` alone; take it out)
endif
ifneq ($(filter %.yaml %.yml,$(MAKECMDGOALS)),)
$(error '$(firstword $(filter %.yaml %.yml,$(MAKECMDGOALS)))' is nothing that can be made; write CONFIG=$(firstword $(filter %.yaml %.yml,$(MAKECMDGOALS))) to lay it over config.yaml)
endif
ifeq ($(shell printf %s '$(subst ','\'',$(CORES))' | grep -Ex '[1-9][0-9]{0,3}'),)
$(error CORES is '$(CORES)'; write how many jobs may run at once, such as CORES=2)
endif
ifneq ($(filter-out 1,$(CALIBRATE)),)
$(error CALIBRATE is '$(CALIBRATE)'; write CALIBRATE=1, or nothing)
endif
# CONFIG is one file, whose name may have spaces, or several files.
quoted = '$(subst ','\'',$(1))'
FILES := $(if $(CONFIG),$(if $(shell test -f $(call quoted,$(CONFIG)) && echo one),$(call quoted,$(CONFIG)),$(CONFIG)))

VENV := .venv
# The files of pins hold all that they need, which pip is not to complete by itself.
HASHED := --quiet --no-compile --no-deps --require-hashes
MTPEFT := $(VENV)/bin/python -m mtpeft
OVERLAY := $(if $(FILES),--configfile $(FILES))
SNAKEMAKE := $(VENV)/bin/python -m snakemake --workflow-profile workflow/profiles/local $(OVERLAY)
# One worker more than there are cores, since tests wait for sweeps, servers and SLURM for half of their time.
WORKERS = $(shell expr $(CORES) + 1)
PYTEST = $(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadgroup
WHERE = --profile $(call quoted,$(PROFILE)) $(if $(filter local,$(PROFILE)),-- --cores $(CORES))
FLAGS = $(OVERLAY) $(WHERE)
SUDO = $(if $(filter-out 0,$(shell id -u)),sudo)

.PHONY: help install figures quick methods preview status watch verify plan tidy pretrain rates page report test test-all bench bench-workflow ci-setup lint pins clean
.DEFAULT_GOAL := help

help: ## list these commands and their variables
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24
	@printf '\nVariables, such as in `make figures CONFIG=mine.yaml CORES=4`, with what they are if left out or an example:\n'
	@sed -n 's/^## \([A-Z_]*=[^:]*\): /  \1\t/p' $(MAKEFILE_LIST) | expand -t 24

install: $(VENV)/installed ## set up .venv from exact pins, which every other command does as well

figures: $(VENV)/installed ## run the studies and draw their figures; goes on where the last run stopped
	@$(MTPEFT) sweep $(FLAGS)

quick: $(VENV)/installed ## run one language pair with one seed (the figures carry a stamp)
	@$(MTPEFT) sweep --configfile workflow/studies/quick.yaml $(FILES) $(WHERE)

methods: $(VENV)/installed ## run 13 systems on one language pair
	@$(MTPEFT) sweep --configfile workflow/studies/methods.yaml $(FILES) $(WHERE)

preview: $(VENV)/installed ## draw figures and findings from what is finished now, into results/<study file>/preview/
	@$(MTPEFT) preview $(OVERLAY)

status: $(VENV)/installed ## count done, running, failed and missing cells of each study and method
	@$(MTPEFT) status $(OVERLAY)

watch: $(VENV)/installed ## show a sweep that runs: cells by state, loss and speed of what runs, time left; Ctrl-C ends it
	@$(MTPEFT) status --watch $(OVERLAY)

verify: $(VENV)/installed ## compare every file that was made with its record, for example after a disk has failed
	@$(MTPEFT) verify $(OVERLAY)

plan: $(VENV)/installed ## count the cells and jobs of each study, and price them; MAX_HOURS=8 says what 8 hours would leave out
	@$(MTPEFT) plan --cores $(CORES) $(if $(MAX_HOURS),--max-hours $(call quoted,$(MAX_HOURS)) )$(if $(CALIBRATE),--calibrate )$(OVERLAY)

tidy: $(VENV)/installed ## list results that no study file uses; remove them: `python -m mtpeft tidy --remove`
	@$(MTPEFT) tidy $(OVERLAY)

pretrain: $(VENV)/installed ## make the base models in workflow/models/ anew: some two and a half hours on one core
	@$(MTPEFT) sweep --target models --configfile workflow/studies/pretrain.yaml $(FILES) $(WHERE)
	@$(MTPEFT) ship --configfile workflow/studies/pretrain.yaml $(FILES)

rates: $(VENV)/installed ## search for all learning rates anew, on dev, into results/rate-search/rates.csv
	@$(MTPEFT) sweep --target collect_rates --configfile workflow/studies/rate-search.yaml $(FILES) $(WHERE)

page: $(VENV)/installed ## write the results page of the study that was run last, or of CONFIG, to open in a browser
	@$(MTPEFT) page $(OVERLAY)

report: $(VENV)/installed ## write Snakemake's report of the study that was run last, or of CONFIG: figures, captions, run times
	@$(MTPEFT) report $(OVERLAY)

test: $(VENV)/develop ## run the tests, without those that take long or need SLURM
	@$(PYTEST) -m "not slow and not cluster"

test-all: $(VENV)/develop ## run all tests
	@$(PYTEST)

ci-setup: ## install SLURM, munge, chromium and two fonts of Debian for tests on a cluster and in a browser; needs root or sudo
	@PATH="$$PATH:/usr/sbin" which slurmctld slurmd munged chromium > /dev/null && test -d /usr/share/fonts/truetype/wqy && test -d /usr/share/fonts/opentype/fonts-hosny-amiri || { \
	$(SUDO) apt-get update --quiet \
	&& $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
	slurm-wlm munge chromium fonts-hosny-amiri fonts-wqy-microhei; }

bench: $(VENV)/installed ## compare training and decoding with the Trainer of transformers; measure text steps and starts
	@PYTHONPATH=tests $(VENV)/bin/python -m benchmarks.trainer --device $(DEVICE) --updates $(UPDATES) \
	--repetitions $(REPETITIONS)
	@PYTHONPATH=tests $(VENV)/bin/python -m benchmarks.sizes --pairs $(PAIRS)
	@PYTHONPATH=tests $(VENV)/bin/python -m benchmarks.startup --repetitions $(REPETITIONS)

bench-workflow: $(VENV)/installed ## measure time and memory of planning 1,000, 5,000 and 20,000 jobs
	@$(VENV)/bin/python tests/benchmarks/workflow.py

lint: $(VENV)/develop ## check the style of Python and of rules
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . \
	&& $(VENV)/bin/snakefmt --line-length 120 --check Snakefile workflow/rules && $(SNAKEMAKE) --lint

pins: $(VENV)/develop ## write the pins in envs/ anew, with the newest versions that pyproject.toml allows
	@$(VENV)/bin/python envs/renew_pins.py --upgrade

clean: ## remove the environment; results stay
	rm -rf $(VENV)

$(VENV)/installed: envs/workflow.txt envs/torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit( \
	"Python 3.11, 3.12 or 3.13 is needed; say which with `make figures PYTHON=python3.12`")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install $(HASHED) --requirement envs/workflow.txt
	$(VENV)/bin/python -m pip install --quiet --no-compile --requirement envs/torch.txt
	$(VENV)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

OPTIONAL := $(addprefix envs/,advise.txt ctranslate2.txt fused-loss.txt notebook.txt quantised.txt trackers.txt)

$(VENV)/develop: $(VENV)/installed envs/develop.txt $(OPTIONAL)
	$(VENV)/bin/python -m pip install $(HASHED) --requirement envs/develop.txt
	@touch $@
