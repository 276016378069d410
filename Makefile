# Everything a developer needs, on a bare Debian machine with Python 3.11: no step needs another one first.
.PHONY: setup demo test lint faults same bench format

setup:            ## make .venv with pinned packages, install the peers that the tests talk to
	@deploy/setup.sh

demo: setup       ## scanner -> plugin -> PACS on this machine, with a table and a picture
	@.venv/bin/qsm-plugin demo --output out/demo

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: setup       ## style, types and architecture, and beside them the whole suite
	@mkdir -p out && { $(MAKE) --no-print-directory lint >out/lint.txt 2>&1; echo $$? >out/lint.status; } & \
	.venv/bin/qsm-plugin prepare; \
	.venv/bin/pytest -n 3 --dist worksteal --durations=15; tests=$$?; \
	wait; cat out/lint.txt; exit $$((tests + $$(cat out/lint.status)))

faults: setup     ## hundreds of kills, full disks, bad peers and malformed objects, about an hour; their counts at the end, and in out/faults.txt
	QSM_FAULTS=full .venv/bin/pytest tests/faults -v --timeout 0

same: setup       ## make same BEFORE=REVISION: does this tree make the same objects and figures, to the last bit?
	.venv/bin/python tests/acceptance/same.py $(BEFORE) $(if $(QUICK),--quick) $(if $(DEMO),--demo)

bench: setup      ## speed and memory, side by side with peers in the same run
	.venv/bin/qsm-plugin bench

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
