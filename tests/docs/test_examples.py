"""Examples, and code in the documents, use what is there, of ``ese_lstm`` itself."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
             if "```python" in path.read_text()]
DEEPER = {
    "ese_lstm.demo.fetch": "a checkpoint and recordings, which a user has of their own",
    "ese_lstm.demo.speech": "their features",
}


def code_of(path: Path) -> list[str]:
    text = path.read_text()
    return [text] if path.suffix == ".py" else re.findall(r"^```python\n(.*?)^```", text,
                                                          re.DOTALL | re.MULTILINE)


def test_there_are_examples() -> None:
    assert EXAMPLES and DOCUMENTS


@pytest.mark.parametrize("path", [*EXAMPLES, *DOCUMENTS], ids=lambda path: path.name)
def test_names_of_ours_exist_and_are_public(path: Path) -> None:
    found = 0
    for node in (node for text in code_of(path) for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ese_lstm"):
            assert node.module == "ese_lstm" or node.module in DEEPER
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{node.module}.{alias.name}"
                found += 1
    assert found
