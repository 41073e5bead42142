"""Pages that the site has beside those of docs/, as a hook of mkdocs: README as its index, the
other documents of the root, and a page of reference for each room of the package."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ese_lstm"
ROOT_PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md",
              "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)(#[^)]*)?\)")


def of_the_site(text: str) -> str:
    """A root document with links between pages as the site has them, and no other relative ones."""
    def link(match: re.Match[str]) -> str:
        shown, target, anchor = match[1], match[2], match[3] or ""
        page = ROOT_PAGES.get(target) or (target.startswith("docs/") and target[len("docs/"):])
        return f"[{shown}]({page}{anchor})" if page else shown
    return LINK.sub(link, text)


def rooms() -> dict[str, list[str]]:
    """Each room's modules, by dotted names."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] != "__main__":
            names = parts[:-1] if parts[-1] == "__init__" else parts
            found.setdefault(parts[0], []).append(".".join(("ese_lstm", *names)))
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The rooms at the end of the menu's reference."""
    reference, = (entry["Reference"] for entry in config.nav or () if "Reference" in entry)
    reference += [{f"{room}/": f"reference/{room}.md"} for room in rooms()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for name, page in ROOT_PAGES.items():
        text = of_the_site((ROOT / name).read_text())
        files.append(File.generated(config, page, content=text))
    for room, modules in rooms().items():
        text = "".join(f"\n::: {module}\n" for module in sorted(modules))
        files.append(File.generated(config, f"reference/{room}.md",
                                    content=f"# {room}/\n{text}"))
    return files
