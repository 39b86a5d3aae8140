"""The scenario tests' fixtures."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from scenario.conftest import exporter, figure, program, pytest_addoption, sanitized  # noqa: E402,F401
