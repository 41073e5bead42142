"""What ``ese_lstm`` itself offers: quick to import, complete for type checkers, documented."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import ese_lstm

TREE = ast.parse(Path(ese_lstm.__file__).read_text())
NAMES = [name for name in ese_lstm.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(ese_lstm, name)
    assert not callable(value) or (value.__doc__ or "").strip()


def test_the_version_is_the_package_s() -> None:
    assert ese_lstm.__version__ == version("ese-lstm")


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    block, = (node for node in TREE.body if isinstance(node, ast.If)
              and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom)
            for alias in node.names}
    assert seen == ese_lstm._MODULE_OF
    assert sorted(seen) == sorted(NAMES) and len(seen) > 20
    assert set(ese_lstm.__all__) <= set(dir(ese_lstm))


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="'ese_lstm' has no attribute 'enigne'"):
        _ = ese_lstm.enigne


def test_importing_it_imports_nothing_large() -> None:
    script = ("import sys; import ese_lstm; print(*{name.partition('.')[0] for name in "
              "sys.modules} & {'amaranth', 'click', 'numpy', 'pydantic', 'torch'})")
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True,
                          text=True)
    assert done.stdout == "\n"


def test_hardware_and_golden_model_need_no_torch() -> None:
    script = ("import sys; sys.modules['torch'] = None; from ese_lstm import export_verilog, "
              "verify, Engine; Engine.open('golden').close()")
    subprocess.run([sys.executable, "-c", script], check=True)
