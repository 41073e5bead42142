"""Fetching: what is used is verified, what is wrong is refused; no network in these tests."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ese_lstm import registry
from ese_lstm.contract.errors import EseError
from ese_lstm.demo import fetch


def ar_member(name: str, data: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)


def deb(path: Path, files: dict[str, bytes]) -> Path:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:xz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w:xz"):
        pass
    path.write_bytes(b"!<arch>\n" + ar_member("debian-binary", b"2.0\n")
                     + ar_member("control.tar.xz", control.getvalue())
                     + ar_member("data.tar.xz", archive.getvalue()))
    return path


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without apt-get and dpkg-deb, where every command fails."""
    monkeypatch.setattr(registry.shutil, "which", lambda name: None)
    monkeypatch.setattr(registry, "_run", lambda command, folder: (1, "no network"))
    monkeypatch.setattr(registry, "PAUSE_S", 0.0)


@pytest.fixture
def small_prompts(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two invented prompts in place of the recorded ones; contents by name."""
    contents = {"one": b"first", "two": b"second!"}
    monkeypatch.setattr(fetch, "PROMPTS", {
        name: hashlib.sha256(data).hexdigest() for name, data in contents.items()})
    return contents


def test_prompts_from_a_package_in_the_cache(
        tmp_path: Path, no_tools: None, small_prompts: dict[str, bytes]) -> None:
    package = deb(tmp_path / "asterisk-core-sounds-en-g722_1_all.deb", {
        f"{fetch.SPEECH_FOLDER}/{name}.g722": data for name, data in small_prompts.items()})
    prompts = fetch.fetch_prompts(tmp_path)
    assert {name: path.read_bytes() for name, path in prompts.items()} == small_prompts
    package.unlink()
    assert fetch.fetch_prompts(tmp_path) == prompts, "a second call needs no package"


def test_damaged_prompt_is_fetched_again(
        tmp_path: Path, no_tools: None, small_prompts: dict[str, bytes]) -> None:
    deb(tmp_path / "asterisk-core-sounds-en-g722_1_all.deb", {
        f"{fetch.SPEECH_FOLDER}/{name}.g722": data for name, data in small_prompts.items()})
    path = fetch.fetch_prompts(tmp_path)["one"]
    path.write_bytes(b"firsT")
    assert fetch.fetch_prompts(tmp_path)["one"].read_bytes() == b"first"


def test_other_content_is_refused(
        tmp_path: Path, no_tools: None, small_prompts: dict[str, bytes]) -> None:
    deb(tmp_path / "asterisk-core-sounds-en-g722_1_all.deb", {
        f"{fetch.SPEECH_FOLDER}/{name}.g722": data + b"." for name, data in small_prompts.items()})
    with pytest.raises(EseError, match=r"one\.g722: must have the SHA-256 \w+, got \w+"):
        fetch.fetch_prompts(tmp_path)
    assert not list(tmp_path.glob("**/*.g722"))


def test_package_without_the_file(
        tmp_path: Path, no_tools: None, small_prompts: dict[str, bytes]) -> None:
    deb(tmp_path / "asterisk-core-sounds-en-g722_1_all.deb", {"usr/share/doc/x": b""})
    with pytest.raises(EseError, match=r"must hold usr/share/\S+/one\.g722, but does not"):
        fetch.fetch_prompts(tmp_path)


def test_package_that_is_none(tmp_path: Path, no_tools: None) -> None:
    (tmp_path / "asterisk-core-sounds-en-g722_1_all.deb").write_bytes(b"<html>not found</html>")
    with pytest.raises(EseError, match="must be a Debian package"):
        fetch.fetch_prompts(tmp_path)


@pytest.mark.parametrize("size", ["-60", "1e3", "", "\xb2"])
def test_package_whose_sizes_are_none(tmp_path: Path, no_tools: None, size: str) -> None:
    """A negative size once led back to its own entry for ever."""
    (tmp_path / "asterisk-core-sounds-en-g722_1_all.deb").write_bytes(
        b"!<arch>\n" + b"x".ljust(48) + size.encode("latin-1").ljust(10) + b"`\n" + bytes(100))
    with pytest.raises(EseError, match="must be a Debian package"):
        fetch.fetch_prompts(tmp_path)


def test_without_apt(tmp_path: Path, no_tools: None) -> None:
    with pytest.raises(EseError, match=r"asterisk-core-sounds-en-g722 must be downloadable by "
                                       r"apt-get.*but apt-get is not installed"):
        fetch.fetch_prompts(tmp_path)


def test_without_network(tmp_path: Path, no_tools: None) -> None:
    with pytest.raises(EseError, match=r"resemblyzer==0\.1\.4 must be downloadable by pip.*"
                                       r"3 attempts failed: no network"):
        fetch.fetch_checkpoint(tmp_path)


def test_apt_without_lists_fetches_its_own(tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[str], folder: Path) -> tuple[int, str]:
        commands.append(command)
        if "download" in command and "-o" in command:
            (folder / f"{command[-1]}_1_all.deb").write_bytes(b"package")
            return 0, ""
        return (0, "") if "update" in command else (100, "E: Unable to locate package")

    monkeypatch.setattr(registry.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(registry, "_run", run)
    package = registry.obtain(tmp_path, "sounds", "sounds_*.deb",
                              registry.apt_download("sounds", tmp_path), lambda text: None)
    assert package.read_bytes() == b"package"
    assert ["download" in command for command in commands] == [True, False, True]
    assert any(option.startswith("Dir::State::Lists=") for option in commands[1])


def test_checkpoint_of_another_version(tmp_path: Path, no_tools: None) -> None:
    with zipfile.ZipFile(tmp_path / "resemblyzer-0.1.4-py3-none-any.whl", "w") as wheel:
        wheel.writestr(fetch.CHECKPOINT_MEMBER, b"weights")
    with pytest.raises(EseError, match=r"pretrained\.pt: must have the SHA-256 39373b86"):
        fetch.fetch_checkpoint(tmp_path)


def test_damaged_wheel(tmp_path: Path, no_tools: None) -> None:
    (tmp_path / "Resemblyzer-0.1.4-py3-none-any.whl").write_bytes(b"PK")
    with pytest.raises(EseError, match="must be a wheel that holds resemblyzer/pretrained.pt"):
        fetch.fetch_checkpoint(tmp_path)
