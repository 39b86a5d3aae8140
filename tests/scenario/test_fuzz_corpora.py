"""What the fuzz targets were once fed, they still take: their committed corpora, with what was found by them, are replayed."""

import os
import subprocess

import pytest

from lib.exporter import sanitizer_environment, sanitizer_report

FUZZ = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fuzz")


@pytest.mark.parametrize("target", sorted(name[:-2] for name in os.listdir(FUZZ) if name.startswith("fuzz_") and name.endswith(".c")))
def test_corpus_is_taken(program, target, figure):
    fuzzer = os.path.join(os.path.dirname(program), "tests", "fuzz", target)
    done = subprocess.run([fuzzer, os.path.join(FUZZ, "corpus", target)], capture_output=True, text=True, errors="backslashreplace",
                          check=False, timeout=60, env=sanitizer_environment())
    text = done.stdout + done.stderr
    assert done.returncode == 0 and not sanitizer_report(text), text
    figure(f"{target}: {done.stdout.strip()}")
