# The Python of the functions' runtime: PYTHON, found by name, in an environment or through pyenv.
# COMPILE writes modules' byte code beside them, never to be checked against the source again, and
# as if they already lay where Lambda puts them; without it every cold start compiles.
SHELL := /bin/sh
.SHELLFLAGS := -euc

PYTHON := $(shell for python in python3.13 python3 "env PYENV_VERSION=3.13 python3.13"; do \
	if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; \
	then echo "$$python"; break; fi; done)
ifeq ($(PYTHON),)
$(error Python 3.13, the runtime of the functions, is not installed: neither python3.13 nor pyenv has it)
endif

COMPILE := $(PYTHON) -m compileall -q --invalidation-mode unchecked-hash
