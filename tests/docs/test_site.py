"""The site has every page in its menu, and links in the documents lead somewhere. ``make docs``
builds it, and fails on what only a build sees."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *PAGES]
NAV = re.findall(r"^ +- (?:[^:]+: )([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Of headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_the_menu_has_every_page_once() -> None:
    assert len(NAV) == len(set(NAV)) and len(PAGES) > 7
    at_the_root = {"index.md", "contributing.md", "changelog.md", "security.md"}
    assert set(NAV) == at_the_root | {page.name for page in PAGES}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
        page = document.parent / target if target else document
        if not page.exists():  # a page of the root, as the site names it
            page = ROOT / f"{target.removesuffix('.md').upper()}.md"
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"
