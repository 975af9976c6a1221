# Everything runs in .venv, which `install` makes. PYTHON chooses the interpreter it is made with.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BENCHMARK_INSTALLED := .venv/.installed-benchmark
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install demo example test lint bench bench-gpu bench-report soak clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose it with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e '.[development]'
	@touch $@

demo: install
	$(BIN)/evalharness run -c demo.yaml
	$(BIN)/evalharness report runs -o site/index.html --title "evalharness demo"
	@echo "Open it in a browser: file://$(CURDIR)/site/index.html"

# What docs/ shows: the demo's report with the tokens of its answers, and pictures of it.
example: install
	$(BIN)/evalharness run -c demo.yaml --store-logprobs
	$(BIN)/python docs/make_example.py runs

# A file of tests stays in one process; threads that share a core wait for each other.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What this project's peers need is installed for the benchmark only.
$(BENCHMARK_INSTALLED): $(INSTALLED)
	$(PIP_INSTALL) -e '.[development,benchmark]'
	@touch $@

# ROWS chooses some of the rows: make bench ROWS="xsum bootstrap"; without it, the report as well.
bench: $(BENCHMARK_INSTALLED)
	$(BIN)/python -m benchmarks.compare $(addprefix --row ,$(ROWS))
	$(if $(ROWS),,$(BIN)/python -m benchmarks.large_report)

bench-gpu: $(BENCHMARK_INSTALLED)
	$(BIN)/python -m benchmarks.compare --device cuda --output benchmarks/results-gpu.json \
		$(addprefix --row ,$(ROWS))

# A report of 100,000 samples of 20 models, built and used.
bench-report: $(BENCHMARK_INSTALLED)
	$(BIN)/python -m benchmarks.large_report

# Runs that are killed again and again must end as an undisturbed one.
soak: install
	$(BIN)/python -m benchmarks.soak

clean:
	rm -rf .venv dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
