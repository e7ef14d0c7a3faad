# What a newcomer needs: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PEERS := benchmarks/peers
SPEED := benchmarks/speed
# For `make peers`: CPU minutes of training for each method, seeds, cardioseg's preset or TOML file, runs of
# cardioseg that are there already (SEED=RUN), and the folder that resumes.
MINUTES ?= 60
SEEDS ?= 0
PRESET ?= fast
OURS ?=
PEERS_OUTPUT ?= peers-output
# For `make bench`: where its files go, and further options (python -m benchmarks.speed.run --help).
# For `make bench-data` also ACDC and HVSMR, their folders, and FAST, a run of preset fast.
BENCH_OUTPUT ?= bench-output
BENCH ?=
SPLIT := docs/results/sax/split.json
# For `make whole-heart`: the folder that resumes; HVSMR, the folder of patient 4 and of label maps, may be left out.
CHAIN_OUTPUT ?= chain
# For `make soak`: what its files' names begin with, and inputs in all of the fuzzer.
SOAK_OUTPUT ?= soak
FUZZ_INPUTS ?= 100000
SUPPLY := tools/.venv

.PHONY: demo test check format docs viewer peers whole-heart bench bench-peers bench-data bench-page clean setup \
	soak soak-kills soak-fuzz soak-metrics lock sbom audit

demo: setup  ## train a small network on synthetic hearts and open the result
	$(BIN)/cardioseg demo --output demo-output

test: setup  ## every test, a file to each core at a time
	$(BIN)/python -m pytest --numprocesses logical --dist loadfile
	$(BIN)/python -m pytest --doctest-modules src/cardioseg

check: setup  ## format, lint, types, layers, security lint
	$(BIN)/ruff format --check src tests models docs benchmarks tools
	$(BIN)/ruff check src tests models docs benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src

format: setup  ## let ruff format and mend what it can
	$(BIN)/ruff format src tests models docs benchmarks tools
	$(BIN)/ruff check --fix src tests models docs benchmarks tools

docs: setup  ## make the pictures of the documentation anew
	$(BIN)/python docs/make_pictures.py

viewer: setup  ## the viewer of `cardioseg serve`, NiiVue, from npm
	$(BIN)/python hatch_build.py

peers: setup $(PEERS)/.venv/.installed  ## nnU-Net and MONAI beside cardioseg: ACDC=FOLDER MINUTES=60 SEEDS="0"
	$(BIN)/python -m benchmarks.peers.run --acdc "$(ACDC)" --minutes $(MINUTES) --seeds $(SEEDS) \
		--preset "$(PRESET)" --ours $(OURS) --output "$(PEERS_OUTPUT)"

whole-heart: setup  ## whole-heart from nothing; with HVSMR=FOLDER also the experiment and patient 4: CHAIN_OUTPUT=chain
	$(BIN)/python benchmarks/whole_heart_chain.py $(if $(HVSMR),--hvsmr "$(HVSMR)") --output "$(CHAIN_OUTPUT)"

bench: setup  ## speed, memory and growth on this machine, for docs/performance.md: BENCH_OUTPUT=bench-output
	$(BIN)/python -m benchmarks.speed.run --output "$(BENCH_OUTPUT)" $(BENCH)

bench-peers: setup $(PEERS)/.venv/.installed $(SPEED)/.venv/.installed  ## the same beside Keras, MONAI and nnU-Net
	$(BIN)/python -m benchmarks.speed.run --output "$(BENCH_OUTPUT)" --only inference training $(BENCH) \
		--keras $(SPEED)/.venv/bin/python --peers $(PEERS)/.venv/bin/python

bench-data: setup $(PEERS)/.venv/.installed  ## what needs networks and patients: ACDC=FOLDER HVSMR=FOLDER PEERS_OUTPUT=FOLDER FAST=RUN
	$(BIN)/python -m benchmarks.speed.budgets --acdc "$(ACDC)" --split $(SPLIT) --cpu-minutes 4 8 --seeds 0 1 2 \
		--peers-output "$(PEERS_OUTPUT)" --output "$(BENCH_OUTPUT)/budgets" --json "$(BENCH_OUTPUT)/budgets.json"
	$(BIN)/python -m benchmarks.peers.curve --acdc "$(ACDC)" --peers-output "$(PEERS_OUTPUT)" --mirrored 2 \
		--json "$(BENCH_OUTPUT)/curve.json"
	$(BIN)/python -m benchmarks.speed.window --data "acdc:$(ACDC)" --split $(SPLIT) --model sax --name '`sax`' \
		--json "$(BENCH_OUTPUT)/window.json"
	$(BIN)/python -m benchmarks.speed.window --data "acdc:$(ACDC)" --split "$(FAST)/split.json" \
		--model "$(FAST)/model" --name '`fast`, patients it did not see' --json "$(BENCH_OUTPUT)/window.json"
	$(BIN)/python -m benchmarks.speed.window --data "hvsmr:$(HVSMR)" --model whole-heart --name '`whole-heart`' \
		--json "$(BENCH_OUTPUT)/window.json"
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.abreast --data "acdc:$(ACDC)" --split $(SPLIT) \
		--json "$(BENCH_OUTPUT)/abreast.json"
	$(BIN)/python -m benchmarks.speed.engines --data "acdc:$(ACDC)" --split $(SPLIT) --model sax --name '`sax`' \
		--json "$(BENCH_OUTPUT)/engines.json"
	$(BIN)/python -m benchmarks.speed.int8 --data "acdc:$(ACDC)" --split "$(FAST)/split.json" \
		--model "$(FAST)/model" --name '`fast`' --json "$(BENCH_OUTPUT)/int8.json"
	$(BIN)/python -m benchmarks.speed.augmenting --json "$(BENCH_OUTPUT)/augmenting.json"
	$(BIN)/python -m benchmarks.speed.run --output "$(BENCH_OUTPUT)" --only peers-predict $(BENCH) \
		--peers-output "$(PEERS_OUTPUT)"

bench-page: setup  ## tables and plots of BENCH_OUTPUT, in the words of docs/performance.md
	$(BIN)/python -m benchmarks.speed.page --results "$(BENCH_OUTPUT)"

soak-metrics: setup  ## our metrics beside MONAI, SimpleITK and scikit-image on 5000 random pairs of masks
	$(BIN)/python -m tests.soak.metrics --output docs/results/trust/metrics.json

soak: soak-kills soak-fuzz soak-metrics  ## everything that takes too long for CI

soak-kills: setup  ## signal 9 at random moments of train, prepare, predict, tune and serve
	$(BIN)/python -m tests.soak.kills --output "$(SOAK_OUTPUT)-kills.json"

soak-fuzz: setup  ## damaged inputs of every format: FUZZ_INPUTS=100000
	$(BIN)/python -m tests.soak.fuzz --inputs $(FUZZ_INPUTS) --output "$(SOAK_OUTPUT)-fuzz.json"

lock: $(SUPPLY)/.installed  ## pin what cardioseg runs on, with hashes: requirements.lock
	$(SUPPLY)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header \
		--no-annotate --constraint constraints.txt --output-file requirements.lock pyproject.toml

sbom: setup  ## the parts of an installation, CycloneDX: sbom.json
	$(BIN)/python tools/sbom.py --lock requirements.lock --output sbom.json

audit: $(SUPPLY)/.installed  ## known vulnerabilities of what is pinned; needs the network
	$(SUPPLY)/bin/python tools/audit.py requirements.lock

clean:
	rm -rf $(VENV) $(PEERS)/.venv $(SPEED)/.venv $(SUPPLY) demo-output dist build

setup: $(VENV)/.installed

# Torch comes first and alone: an unpinned torch would pull several GB of CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt models/acdc/pyproject.toml models/whole-heart/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation -e '.[train,openvino,tensorboard,tune,postgresql,scale,test,dev]' \
		-e models/acdc -e models/whole-heart
	$(PIP) --no-deps monai
	touch $@

# Without dependencies: nnU-Net's would replace torch. requirements.txt names all that are needed.
$(PEERS)/.venv/.installed: $(PEERS)/requirements.txt
	$(PYTHON) -m venv $(PEERS)/.venv
	$(PEERS)/.venv/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(PEERS)/requirements.txt
	touch $@

$(SPEED)/.venv/.installed: $(SPEED)/requirements-keras.txt
	$(PYTHON) -m venv $(SPEED)/.venv
	$(SPEED)/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $(SPEED)/requirements-keras.txt
	touch $@

$(SUPPLY)/.installed:
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1
	touch $@
