# Every target sets up what it needs in $(VENV); `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?= xcku060-32x32
OUT ?= build/verilog
SPEECH ?= build/speech-model
DATASET ?= build/speech
MODEL ?= $(SPEECH)/model.safetensors
DENSE_FLAGS ?= --epochs 16 --dropout 0.3 --input-dropout 0.1 --brief
PRUNE_FLAGS ?= --density 0.112 --balance tile --keep-one --lanes 32 --ramp 0.4 --rate 0.0015 \
	--epochs 7 --dropout 0.3 --input-dropout 0.1 --brief
CURVE_FLAGS ?= --densities 0.5,0.3,0.2,0.112,0.08 --epochs 1 --rate 0.001 --dropout 0.3 \
	--input-dropout 0.1 --brief
SECONDS ?= 600
PYTEST_FLAGS ?= -n 2 --dist worksteal
CONSTRAINTS ?= constraints.txt
LOWEST_TESTS ?= tests/contract tests/compress tests/train tests/cli tests/sim/golden tests/boards \
	tests/docs tests/test_public.py tests/sim/rtl/test_bench.py

BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo bench ablations test prove sim verilog synth timing lint-verilog lint types clean
.PHONY: fuzz compress-speed report-check test-lowest docs dist dist-check
.PHONY: speech demo-speech curves bench-shell bench-streaming bench-resemblyzer distclean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/.ready-demo  ## real checkpoint and speech to simulated Verilog, in build/demo
	$(BIN)/ese demo

bench: $(VENV)/.ready-bench  ## the paper's network on the 1,024-multiplier engine, in build/bench
	$(BIN)/ese bench engine

bench-shell: $(VENV)/.ready-bench  ## the same network in the AXI shell: what its streams cost
	$(BIN)/ese bench shell

bench-streaming: $(VENV)/.ready-bench  ## three such layers, streamed from memories of several bandwidths
	$(BIN)/ese bench streaming

bench-resemblyzer: $(VENV)/.ready-mel  ## a speaker encoder in 12-bit weights, against floating point
	$(BIN)/ese bench resemblyzer prepare
	$(BIN)/ese bench resemblyzer measure $(MODELS)

ablations: $(VENV)/.ready-bench  ## tables and plots of docs/results, by the cycle model
	$(BIN)/ese bench ablations

speech: $(SPEECH)/model.safetensors  ## data, dense and pruned 1024/512 network (1–2 h; goes on)

demo-speech: $(VENV)/.ready-train $(MODEL)  ## MODEL on held-out speech of DATASET, as Verilog
	$(BIN)/ese demo speech $(MODEL) $(DATASET) $(DEMO_FLAGS)

curves: $(VENV)/.ready-train $(SPEECH)/.dense  ## PER and cycles against density, two ways (hours)
	$(BIN)/ese bench pruning-curve $(DATASET) \
		--from $(SPEECH)/dense/model.safetensors -o $(SPEECH)/curves $(CURVE_FLAGS)

# An interrupted training leaves files that look finished: these two say which one is.
$(SPEECH)/.dense: | $(VENV)/.ready-train
	$(BIN)/ese data prepare -o $(DATASET)
	$(BIN)/ese train $(DATASET) -o $(SPEECH)/dense $(DENSE_FLAGS)
	@touch $@

$(SPEECH)/model.safetensors: | $(SPEECH)/.dense
	$(BIN)/ese train $(DATASET) -o $(SPEECH)/pruned --from $(SPEECH)/dense/model.safetensors \
		$(PRUNE_FLAGS)
	$(BIN)/ese compress $(SPEECH)/pruned/model.safetensors \
		--frames $(SPEECH)/pruned/calibration.npy -o $(SPEECH)/model.ese \
		--report $(SPEECH)/model.json
	$(BIN)/ese evaluate $(SPEECH)/pruned/model.safetensors $(DATASET) \
		--image $(SPEECH)/model.ese --channels 64
	@cp $(SPEECH)/pruned/model.safetensors $@

compress-speed: $(VENV)/.ready-bench  ## pruning to packing, and the golden model on held-out speech
	$(BIN)/ese bench compress-speed

report-check: $(VENV)/.ready-dev  ## ese report in headless Chromium; screenshots in build/report
	ESE_SHOTS=build/report $(BIN)/pytest -n0 tests/cli/test_report_page.py

test: lint types $(VENV)/.ready-dev  ## lint, types, all tests and every cocotb bench
	$(BIN)/pytest $(PYTEST_FLAGS)

test-lowest:  ## a quick part of the tests with the lowest versions of what we depend on
	$(MAKE) VENV=build/lowest CONSTRAINTS=constraints-lowest.txt build/lowest/.ready-lowest
	build/lowest/bin/pytest $(PYTEST_FLAGS) $(LOWEST_TESTS)

fuzz: $(VENV)/.ready-dev  ## the random tests with fresh seeds, for SECONDS (600); prints how to repeat
	$(BIN)/python tests/fuzz.py $(SECONDS) $(FUZZ_FLAGS)

prove: $(VENV)/.ready-prove  ## proofs of hardware units; PROVE_DEPTH=2: twice as many cycles
	$(BIN)/pytest $(PYTEST_FLAGS) tests/prove

sim: $(VENV)/.ready-dev  ## every cocotb bench on the exported Verilog, and the runtime on it
	$(BIN)/pytest $(PYTEST_FLAGS) tests/sim/rtl tests/runtime

verilog: $(VENV)/.ready-base  ## Verilog of CONFIG (a preset or a JSON file) in OUT, without torch
	$(BIN)/ese verilog --config $(CONFIG) -o $(OUT)

synth: $(VENV)/.ready-synth  ## resources of an XCKU060 beside ESE's (estimate), in build/synth
	$(BIN)/ese synth

timing: $(VENV)/.ready-synth  ## longest paths (estimate) and an ECP5 placed and routed
	$(BIN)/ese synth timing

lint-verilog: $(VENV)/.ready-synth  ## verilator -Wall on the exported full engine
	$(BIN)/ese synth lint

lint: $(VENV)/.ready-dev  ## ruff
	$(BIN)/ruff check .

types: $(VENV)/.ready-dev  ## mypy
	$(BIN)/mypy

docs: $(VENV)/.ready-docs  ## the documentation as a site, in build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: $(VENV)/.ready-dist  ## source archive and wheel in dist/, and what they hold is checked
	rm -rf dist build/lib
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tests/dist.py contents dist

dist-check: dist  ## the wheel in an empty environment: compress, simulate, verilog, without a clone
	$(BIN)/python tests/dist.py run dist $(CONSTRAINTS)

clean:  ## what the targets above wrote
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis

distclean: clean  ## and the virtual environment
	rm -rf $(VENV)

# Set-up: one stamp a set of extras, renewed when pyproject.toml or the versions change.

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "make: $(PYTHON) must be installed (Python 3.11 or newer)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Python must be 3.11 or newer; choose one with PYTHON=python3.x." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: Python's venv module must be installed (Debian: apt install python3-venv)." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

EXTRAS_base :=
EXTRAS_demo := [compress,sim,demo]
EXTRAS_bench := [compress,sim,bench]
EXTRAS_train := [train,sim,bench]
EXTRAS_mel := [train,sim,demo]
EXTRAS_synth := [synth]
EXTRAS_prove := [prove]
EXTRAS_docs := [docs]
EXTRAS_dist := [dist]
EXTRAS_lowest := [compress,onnx,train,sim,demo,bench,synth,prove,dev]
EXTRAS_dev := [compress,onnx,train,sim,demo,bench,synth,prove,dev]

$(VENV)/.ready-%: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) \
		-e '.$(EXTRAS_$*)'
	@touch $@
