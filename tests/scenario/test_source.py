"""What must hold of the source and of the documents beside it."""

import os
import re
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def check_includes(tree):
    return subprocess.run([f"{TOP}/tests/lint/check-includes", str(tree)], capture_output=True, text=True, check=False, timeout=30)


def test_includes_run_one_way():
    done = check_includes(TOP)
    assert done.returncode == 0, done.stdout


def test_the_check_of_includes_sees_what_it_is_for(tmp_path):
    shutil.copytree(f"{TOP}/src", tmp_path / "src")
    (tmp_path / "src/base/bad.c").write_text('/* Bad. */\n#include "config/config.h"\n#include <mysql.h>\nint f(void) {\n'
                                             '    return atoi("strcpy(1)"); /* sprintf(2) */\n}\n')
    (tmp_path / "src/base/silent.h").write_text("#define X 1\n")
    said = check_includes(tmp_path).stdout
    for wanted in ("bad.c:2:", "bad.c:3:", "bad.c:5: atoi()", "silent.h:1:"):
        assert wanted in said, said
    assert "sprintf" not in said and "strcpy" not in said


def test_readme_tables_are_not_stale(program):
    done = subprocess.run([f"{TOP}/tests/lib/update-readme", program, "--check"], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout[:1500]


def test_the_map_names_every_source_file():
    with open(f"{TOP}/src/README.md", encoding="utf-8") as f:
        text = f.read()
    stems = {os.path.splitext(f)[0] for _, _, files in os.walk(f"{TOP}/src") for f in files if f.endswith((".c", ".h"))}
    unnamed = sorted(stem for stem in stems if not re.search(rf"\b{re.escape(stem)}\b", text))
    assert not unnamed, "src/README.md says nothing of these"
