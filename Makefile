# Each target installs what it needs into .venv by itself. Needs Python >= 3.11 with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    a simulated compound, end to end   (KEEP=1 stays up)"
	@echo "make test    the whole test suite"
	@echo "make check   lint, types, layers, published schema"
	@echo "make bench   the benchmark table"

