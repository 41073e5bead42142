"""Output files: atomic, through links and devices, with the user's modes, never over an input."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ese_lstm.contract.errors import EseError
from ese_lstm.contract.files import (
    check_folder,
    check_outputs,
    make_folder,
    write_atomically,
    write_together,
)


def put(path, data=b"new"):
    write_atomically(path, lambda temporary: temporary.write_bytes(data))


@pytest.fixture
def umask():
    """Sets the umask for one test."""
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_left_of_a_failed_write(tmp_path):
    path = tmp_path / "out" / "a.bin"
    path.parent.mkdir()
    path.write_bytes(b"before")

    def fail(temporary):
        temporary.write_bytes(b"half")
        raise RuntimeError("stop")
    with pytest.raises(RuntimeError, match="stop"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"before" and list(path.parent.iterdir()) == [path]


def test_all_files_or_none(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"before")

    def fail(temporary):
        raise OSError(28, "No space left on device")
    with pytest.raises(EseError, match=r"^output: .*/b must be writable, but No space left on dev"):
        write_together({first: lambda temporary: temporary.write_bytes(b"new"), second: fail})
    assert first.read_bytes() == b"before" and list(tmp_path.iterdir()) == [first]
    write_together({first: lambda temporary: temporary.write_bytes(b"1"),
                    second: lambda temporary: temporary.write_bytes(b"2")})
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_a_full_disk_is_one_sentence():
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full")
    with pytest.raises(EseError, match=r"^output: /dev/full must be writable, but No space left"):
        put(Path("/dev/full"))
    assert Path("/dev/full").is_char_device()


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(EseError, match=r"^output: .*/file/a must be writable, but Not a dir"):
        put(tmp_path / "file" / "a")
    with pytest.raises(EseError, match=r"^output: .* must be a file, but is a folder$"):
        put(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(EseError, match=r"^output: .*loop must be writable, but Too many"):
        put(tmp_path / "loop")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_long_name(tmp_path):
    put(tmp_path / ("n" * 255))
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]
    with pytest.raises(EseError, match=r"must be writable, but File name too long"):
        put(tmp_path / ("n" * 256))


def test_a_device_node_stays_a_device(tmp_path):
    """As root a rename onto /dev/null would take it away from the whole system."""
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        node.write_bytes(b"opens")
    except OSError:
        pytest.skip("may not make device nodes here")
    before = node.stat()
    put(node)
    after = node.stat()
    assert stat.S_ISCHR(after.st_mode) and list(tmp_path.iterdir()) == [node]
    assert (after.st_rdev, after.st_ino, after.st_mode) == (
        before.st_rdev, before.st_ino, before.st_mode)
    (tmp_path / "link").symlink_to(node)
    put(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and node.is_char_device()
    check_outputs([node, node], [node])


def test_a_fifo_is_written_through(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    put(fifo, b"x" * 100_000)
    reader.join(10)
    assert found == [b"x" * 100_000] and fifo.is_fifo() and list(tmp_path.iterdir()) == [fifo]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_output(tmp_path, name, kind):
    """In the order of what is printed, though standard output may be a file."""
    code = ("import sys; from pathlib import Path; "
            "from ese_lstm.contract.files import write_atomically as put; "
            "sys.stdout.write('1'); put(Path(sys.argv[1]), lambda t: t.write_text('2')); "
            "sys.stdout.write('3')")
    words = [sys.executable, "-c", code, name]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    if kind == "pipe":
        done = subprocess.run(words, stdout=subprocess.PIPE, env=environment, check=True)
        assert done.stdout == b"123"
    else:
        with (tmp_path / "out").open("wb") as file:
            subprocess.run(words, stdout=file, env=environment, check=True)
        assert (tmp_path / "out").read_bytes() == b"123" and len(list(tmp_path.iterdir())) == 1


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to(Path("far") / "target")
    (tmp_path / "again").symlink_to("link")
    put(tmp_path / "again")
    assert target.read_bytes() == b"new" and link.readlink() == Path("far/target")
    assert (tmp_path / "again").is_symlink() and list(target.parent.iterdir()) == [target]


def test_a_dangling_link_makes_its_target(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "far" / "target")
    put(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "target").read_bytes() == b"new"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, umask, mask):
    umask(mask)
    put(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o666 & ~mask


def test_a_replaced_file_keeps_its_mode_and_owner(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    put(path)
    after = path.stat()
    assert path.read_bytes() == b"new" and before.st_ino != after.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid)


def test_a_writer_that_makes_another_file_changes_no_mode(tmp_path, umask):
    umask(0o027)

    def write(temporary):
        other = temporary.with_name("other")
        other.write_bytes(b"new")
        other.chmod(0o600)
        other.replace(temporary)
    write_atomically(tmp_path / "a", write)
    assert mode(tmp_path / "a") == 0o640


def test_output_that_is_an_input(tmp_path):
    file = tmp_path / "g.pt"
    file.write_bytes(b"weights")
    (tmp_path / "link").symlink_to(file)
    os.link(file, tmp_path / "hard")
    (tmp_path / "x").mkdir()
    for other in (file, tmp_path / "link", tmp_path / "hard", tmp_path / "x" / ".." / "g.pt"):
        with pytest.raises(EseError, match=r"^output: .* must be another file than every input and "
                                           r"output, but is the input .*g\.pt$"):
            check_outputs([tmp_path / "other", other], [None, file])
    check_outputs([tmp_path / "other", None], [file, tmp_path / "missing", tmp_path])


def test_two_outputs_that_are_one_file(tmp_path):
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "x").mkdir()
    for one, other in (("a", "a"), ("b", "link"), ("c", "x/../c")):
        with pytest.raises(EseError, match=r"than every input and output, but is the output "):
            check_outputs([tmp_path / one, tmp_path / other])
        with pytest.raises(EseError, match=r"but is the output "):
            write_together({tmp_path / one: lambda t: None, Path(f"{tmp_path}/x/../{other}"):
                            lambda t: None})
    check_outputs([tmp_path / "a", tmp_path / "b", None])


def test_folders(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(EseError, match=rf"^output: {path} must be a folder, but .*file is a "):
            make_folder(path)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(EseError, match=r"^output: .*link/x must be a folder, but .*link is a f"):
        check_folder(tmp_path / "link" / "x")
    assert make_folder(tmp_path / "a" / "b").is_dir() and make_folder(tmp_path / "a").is_dir()
    check_folder(Path("relative/path"))
