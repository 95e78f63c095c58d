"""The audit trail tells what a script does, and leaves the script as it is."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import ZipFile

import pytest

from .conftest import example_command, example_environment

if TYPE_CHECKING:
    from types import ModuleType

posix = pytest.mark.skipif(os.name != "posix", reason="forks and signals of POSIX")


class Trace(Protocol):
    """Writes a script, runs it under the trail, and returns how that ended."""

    def __call__(
        self, script: str, *args: str, options: tuple[str, ...] = (), status: int = 0
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    def run(
        script: str, *args: str, options: tuple[str, ...] = (), status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.py").write_text(textwrap.dedent(script), encoding="utf-8")
        ended = subprocess.run(
            example_command("audit_trail.py", *options, "script.py", *args, python=("-X", "dev")),
            cwd=tmp_path,
            env=example_environment(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=20,
            check=False,
        )
        assert ended.returncode == status, ended.stderr
        assert "the trail has a gap" not in ended.stderr
        return ended

    return run


def trail(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What the live lines say, by verb."""
    lines: dict[str, list[str]] = {}
    for verb, targets in re.findall(r"^ +\d+\.\d{3} s  (look up|\w+) +(.*)$", ended.stderr, re.MULTILINE):
        lines.setdefault(verb, []).append(targets)
    return {verb: ", ".join(targets) for verb, targets in lines.items()}


def summary(ended: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, str]]:
    """Count and targets by verb, as the summary tells them."""
    text = ended.stderr[ended.stderr.rindex("--- script.py: ") :]
    found = re.findall(r"^ *([\d,]+)  (look up|\w+) +(.*)$", text, re.MULTILINE)
    return {verb: (int(count.replace(",", "")), targets) for count, verb, targets in found}


def outcome(ended: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"^--- script\.py: (.*) after \d+\.\d{3} s, [\d,]+ actions$", ended.stderr, re.MULTILINE)
    assert found is not None, ended.stderr
    return found[1]


# What an event tells


@pytest.mark.parametrize(
    ("event", "args", "expected"),
    [
        ("open", ("a.txt", "r", 0), ("read", "a.txt")),
        ("open", (b"a.txt", "rb+", 0), ("write", "a.txt")),
        ("open", ("a.txt", None, os.O_RDONLY), ("read", "a.txt")),
        ("open", ("a.txt", None, os.O_WRONLY | os.O_CREAT), ("write", "a.txt")),
        ("open", (3, "r", 0), None),
        ("import", ("json.decoder", None, [], [], []), ("import", "json")),
        ("import", ("_json", "/lib/_json.so", [], [], []), None),
        ("os.listdir", (".",), ("list", ".")),
        ("os.scandir", (3,), None),
        ("socket.connect", (object(), ("127.0.0.1", 80)), ("connect", "127.0.0.1:80")),
        ("socket.connect", (object(), ("::1", 80, 0, 0)), ("connect", "[::1]:80")),
        ("socket.connect", (object(), "/run/x.sock"), ("connect", "/run/x.sock")),
        ("socket.connect", (object(), (16, 0)), ("connect", "<tuple>")),
        ("socket.bind", (object(), ("", 80)), ("listen", ":80")),
        ("socket.getaddrinfo", ("example.org", 80, 0, 0, 0), ("look up", "example.org")),
        ("socket.getaddrinfo", (None, 80, 0, 0, 0), None),
        ("sqlite3.connect", (Path("a.db"),), ("connect", "sqlite a.db")),
        ("urllib.Request", ("https://example.org/", None, {}, "GET"), ("fetch", "https://example.org/")),
        ("subprocess.Popen", ("ls", ["ls", Path("a b")], None, None), ("run", "ls 'a b'")),
        ("subprocess.Popen", ("ls", "ls a", None, None), ("run", "ls a")),
        ("os.exec", ("/bin/ls", ("ls", b"a"), None), ("run", "ls a")),
        ("os.spawn", (0, "/bin/ls", ("ls",), None), ("run", "ls")),
        ("os.system", (b"ls | wc",), ("run", "ls | wc")),
        ("os.fork", (), ("start", "a fork of itself")),
        ("_thread.start_new_thread", (print, (), {}), ("start", "thread <builtin_function_or_method>")),
        ("ctypes.dlopen", ("libc.so.6",), ("load", "libc.so.6")),
        ("ctypes.dlopen", (None,), None),
        ("os.rename", ("a", b"b", -1, -1), ("rename", "a -> b")),
        ("os.remove", ("a", -1), ("remove", "a")),
        ("os.chdir", (3,), ("chdir", "?")),
        ("os.putenv", (b"SECRET", b"x"), None),
        ("compile", (None, "x"), None),
        ("something.new", ("x",), None),
    ],
)
def test_describe_names_the_action(audit_trail: ModuleType, event: str, args: Any, expected: Any) -> None:
    assert audit_trail.describe(event, args) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", "a b"),
        ("a\x1b[2J\n", r"a\x1b[2J\n"),
        (b"\xff", r"\udcff"),
        ("a" * 45 + "b" * 50, "a" * 45 + "..." + "b" * 30),
        (None, "<NoneType>"),
    ],
)
def test_text_is_short_and_printable(audit_trail: ModuleType, value: object, shown: str) -> None:
    assert audit_trail.text(value) == shown


def test_listed_names_what_a_line_takes(audit_trail: ModuleType) -> None:
    targets = Counter({"a" * 40: 1, "b" * 40: 2, "c" * 9: 1})
    assert audit_trail.listed(targets) == f"{'a' * 40}, {'b' * 40} (2x) and 1 more"


def test_listed_names_one_target_at_any_length(audit_trail: ModuleType) -> None:
    assert audit_trail.listed(Counter({"a" * 200: 1, "b": 1})) == f"{'a' * 200} and 1 more"


async def test_trail_shows_only_what_is_new(audit_trail: ModuleType) -> None:
    stream = io.StringIO()
    shown = audit_trail.Trail(stream)
    shown.add(audit_trail.Action("read", "a"))
    await shown.show()
    shown.add(audit_trail.Action("read", "b"))
    await shown.show()
    await shown.show()
    assert [line.split()[2:] for line in stream.getvalue().splitlines()] == [["read", "a"], ["read", "b"]]


async def test_trail_survives_that_nobody_reads_it(audit_trail: ModuleType) -> None:
    stream = io.StringIO()
    shown = audit_trail.Trail(stream)
    shown.line.watch(stream)
    stream.write("begun")
    shown.add(audit_trail.Action("read", "a"))
    stream.close()
    shown.try_to_show(even_within_a_line=True)


@pytest.fixture
def shared(audit_trail: ModuleType) -> tuple[Any, io.StringIO]:
    """A trail with something to show, and the stream that it shares with a script."""
    stream = io.StringIO()
    shown = audit_trail.Trail(stream)
    shown.line.watch(stream)
    shown.stream = SimpleNamespace(write=shown.line.write, flush=stream.flush)
    shown.add(audit_trail.Action("read", "a"))
    return shown, stream


@pytest.mark.virtual_time
async def test_trail_waits_for_the_end_of_a_line_of_the_script(shared: tuple[Any, io.StringIO]) -> None:
    shown, stream = shared
    stream.write("ValueError")
    showing = asyncio.ensure_future(shown.show())
    await asyncio.sleep(0.1)
    stream.write("")
    stream.write(": no luck\n")
    await showing
    first, second = stream.getvalue().splitlines()
    assert (first, second.split()[2:]) == ("ValueError: no luck", ["read", "a"])


@pytest.mark.virtual_time
async def test_trail_ends_a_line_that_the_script_does_not_end(shared: tuple[Any, io.StringIO]) -> None:
    shown, stream = shared
    stream.write("Continue? ")
    await shown.show()
    first, second = stream.getvalue().splitlines()
    assert (first, second.split()[2:]) == ("Continue? ", ["read", "a"])


@pytest.mark.virtual_time
async def test_trail_keeps_out_of_a_traceback_and_loses_nothing(shared: tuple[Any, io.StringIO]) -> None:
    shown, stream = shared
    shown.line.reserved = True
    stream.write("Traceback (most recent call last):\n")
    await shown.show()
    stream.write("ValueError: no luck\n")
    shown.summarise("script.py", 0)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", "ValueError: no luck"]
    assert lines[2].split()[2:] == ["read", "a"]
    assert lines[3].startswith("--- script.py")


# What is told of a script


def test_audit_trail_tells_of_opened_files_by_the_paths_of_the_script(trace: Trace, tmp_path: Path) -> None:
    ended = trace(
        """
        import os
        open("out.txt", "w").close()
        open("./out.txt").close()
        os.rename("out.txt", "new.txt")
        os.remove("new.txt")
        """
    )
    told = trail(ended)
    assert (told["write"], told["read"]) == ("out.txt", "./out.txt")
    assert (told["rename"], told["remove"]) == ("out.txt -> new.txt", "new.txt")
    assert str(tmp_path) not in ended.stderr


def test_audit_trail_tells_of_imports(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import colorsys\n", encoding="utf-8")
    told = trail(trace("import helper"))
    assert {"helper", "colorsys"} <= set(told["import"].split(", "))
    assert told["read"].endswith("helper.py")


def test_audit_trail_tells_of_connections(trace: Trace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        told = trail(
            trace(
                """
                import socket, sys
                socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
                """,
                str(port),
            )
        )
    assert told["connect"] == f"127.0.0.1:{port}"


def test_audit_trail_tells_of_subprocesses_once(trace: Trace) -> None:
    ended = trace(
        """
        import subprocess, sys
        for _ in range(2):
            subprocess.run(["echo", "a b"], check=True, stdout=subprocess.DEVNULL)
        """
    )
    assert trail(ended)["run"] == "echo 'a b' (2x)"
    assert summary(ended)["run"] == (2, "echo 'a b' (2x)")


def test_audit_trail_tells_of_threads_and_what_they_do(trace: Trace) -> None:
    ended = trace(
        """
        import threading
        def work():
            open("from-thread.txt", "w").close()
        threading.Thread(target=work, name="worker").start()
        """
    )
    assert sys.version_info < (3, 12) or trail(ended)["start"] == "thread worker"
    assert summary(ended)["write"] == (1, "from-thread.txt")


def test_audit_trail_groups_thousands_of_files(trace: Trace) -> None:
    ended = trace(
        """
        for number in range(3000):
            open(f"file-{number % 1500}.txt", "a").close()
        """
    )
    count, targets = summary(ended)["write"]
    assert count == 3000
    assert re.fullmatch(r"file-0\.txt \(2x\), .* and 1,49\d more", targets)
    assert sum(" write " in line for line in ended.stderr.splitlines()) < 200


def test_audit_trail_leaves_pythons_own_files_out(trace: Trace) -> None:
    ended = trace("import colorsys")
    assert "read" not in summary(ended)
    assert re.search(r"audit events seen, [1-9]\d* of them on Python's own files", ended.stderr)


def test_audit_trail_shows_pythons_own_files_on_demand(trace: Trace) -> None:
    ended = trace("import colorsys", options=("--all",))
    assert "colorsys" in trail(ended)["read"]
    assert "0 of them on Python's own files" in ended.stderr


def test_audit_trail_can_be_written_to_a_file(trace: Trace, tmp_path: Path) -> None:
    ended = trace("open('a.txt', 'w').close()", options=("--output", "trail.txt"))
    assert ended.stderr == ""
    assert "write    a.txt" in (tmp_path / "trail.txt").read_text(encoding="utf-8")


def test_audit_trail_says_nothing_of_itself(trace: Trace) -> None:
    ended = trace("pass")
    assert trail(ended) == {}
    assert outcome(ended) == "exit status 0"
    assert summary(ended) == {}


def test_audit_trail_prints_no_control_characters(trace: Trace) -> None:
    ended = trace(r"open('a\x1b[2J.txt', 'w').close()")
    assert r"a\x1b[2J.txt" in ended.stderr
    assert "\x1b" not in ended.stderr


# What a script does not notice


def test_audit_trail_leaves_streams_and_arguments_to_the_script(trace: Trace) -> None:
    ended = trace(
        """
        import sys
        print(__name__, sys.argv, file=sys.stdout)
        print("complaint", file=sys.stderr)
        """,
        "--help",
        "-o",
        "x",
    )
    assert ended.stdout == "__main__ ['script.py', '--help', '-o', 'x']\n"
    assert "complaint" in ended.stderr.splitlines()


def test_audit_trail_passes_an_exit_status_on(trace: Trace) -> None:
    ended = trace("import sys; sys.exit(3)", status=3)
    assert outcome(ended) == "exit status 3"


def test_audit_trail_passes_an_exit_message_on(trace: Trace) -> None:
    ended = trace("raise SystemExit('no luck')", status=1)
    assert "no luck" in ended.stderr.splitlines()
    assert outcome(ended) == "exit status 1"


def test_audit_trail_passes_an_exception_on(trace: Trace) -> None:
    ended = trace(
        """
        def fail():
            raise ValueError("no luck")
        fail()
        """,
        status=1,
    )
    assert "ValueError: no luck" in ended.stderr.splitlines()
    assert 'File "script.py", line 4, in <module>' in ended.stderr
    assert "audit_trail.py" not in ended.stderr
    assert "runpy" not in ended.stderr
    assert outcome(ended) == "ValueError"


def test_audit_trail_passes_a_syntax_error_on(trace: Trace) -> None:
    ended = trace("1 +", status=1)
    assert "SyntaxError" in ended.stderr
    assert "audit_trail.py" not in ended.stderr


def test_audit_trail_uses_the_excepthook_of_the_script(trace: Trace) -> None:
    ended = trace(
        """
        import sys
        sys.excepthook = lambda *error: print("caught", error[0].__name__)
        1 / 0
        """,
        status=1,
    )
    assert ended.stdout == "caught ZeroDivisionError\n"


def test_audit_trail_keeps_out_of_what_the_script_writes_at_its_end(trace: Trace) -> None:
    ended = trace(
        """
        import os, sys, threading
        def report(kind, *_):
            for part in ("caught ", kind.__name__, ", as ", "usual\\n"):
                sys.stderr.write(part)
                sys.stderr.flush()
                os.mkdir(part.strip())
                threading.Event().wait(0.3)
        sys.excepthook = report
        1 / 0
        """,
        status=1,
    )
    assert "caught ZeroDivisionError, as usual" in ended.stderr.splitlines()
    assert trail(ended)["mkdir"].startswith("caught")


@posix
def test_audit_trail_leaves_stderr_to_the_forks_of_a_script_that_writes_much(trace: Trace) -> None:
    ended = trace(
        """
        import os, sys, threading
        over = threading.Event()
        def write():
            while not over.is_set():
                print("noise", file=sys.stderr)
        threading.Thread(target=write).start()
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                print("child", file=sys.stderr)
                os._exit(0)
            os.waitpid(pid, 0)
        over.set()
        """
    )
    assert ended.stderr.count("child") == 20


def test_audit_trail_runs_asyncio_in_the_main_thread(trace: Trace) -> None:
    ended = trace(
        """
        import asyncio, signal, threading
        async def main():
            assert threading.current_thread() is threading.main_thread()
            done = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, done.set)
            signal.raise_signal(signal.SIGUSR1)
            await done.wait()
            process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
            print((await process.communicate())[0].decode(), end="")
            print(await asyncio.to_thread(lambda: "from a thread"))
        asyncio.run(main())
        """
    )
    assert ended.stdout == "hello\nfrom a thread\n"
    assert trail(ended)["run"] == "echo hello"


def test_audit_trail_follows_the_script_to_its_last_exit_handler(trace: Trace) -> None:
    ended = trace(
        """
        import atexit, threading
        from concurrent.futures import ThreadPoolExecutor
        atexit.register(lambda: open("at-exit.txt", "w").close())
        pool = ThreadPoolExecutor()
        pool.submit(print, "pooled")
        ended = threading.Event()
        def work():
            ended.wait(0.05)
            open("from-thread.txt", "w").close()
        threading.Thread(target=work).start()
        """
    )
    assert ended.stdout == "pooled\n"
    assert summary(ended)["write"] == (2, "from-thread.txt, at-exit.txt")


@posix
def test_audit_trail_goes_on_when_the_script_forks(trace: Trace) -> None:
    ended = trace(
        """
        import os
        pid = os.fork()
        if pid == 0:
            for _ in range(100):
                open("of-child.txt", "a").close()
            raise SystemExit(5)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status))
        open("of-parent.txt", "w").close()
        """
    )
    assert ended.stdout == "5\n"
    assert summary(ended)["start"] == (1, "a fork of itself")
    assert "of-parent.txt" in summary(ended)["write"][1]
    assert ended.stderr.count("--- script.py: ") == 1


@posix
def test_audit_trail_goes_on_when_the_script_closes_its_streams(trace: Trace) -> None:
    ended = trace(
        """
        import os, sys
        sys.stderr.close()
        sys.stdout.close()
        os.close(2)
        open("a.txt", "w").close()
        """
    )
    assert summary(ended)["write"] == (1, "a.txt")


@posix
def test_audit_trail_lets_a_script_live_that_closes_all_files(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import os\nos.closerange(3, 256)\nopen('a.txt', 'w').close()\nprint('done')\n", encoding="utf-8"
    )
    ended = subprocess.run(
        example_command("audit_trail.py", "script.py"),
        cwd=tmp_path,
        env=example_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n")


@posix
def test_audit_trail_passes_an_interrupt_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    with subprocess.Popen(
        example_command("audit_trail.py", "script.py"),
        cwd=tmp_path,
        env=example_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert "--- script.py: interrupted" in errors
    assert errors.count("KeyboardInterrupt") == 1
    assert "audit_trail.py" not in errors
    assert "runpy" not in errors


def test_audit_trail_imports_beside_the_script_and_not_beside_itself(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("", encoding="utf-8")
    trace(
        """
        import helper
        try:
            import flight_monitor
        except ImportError:
            pass
        else:
            raise AssertionError
        """
    )


def run_quietly(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run what is no single Python file under the trail."""
    ended = subprocess.run(
        example_command("audit_trail.py", script),
        cwd=folder,
        env=example_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 0
    return ended


def test_audit_trail_runs_folders(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("open('a.txt', 'w').close()\n", encoding="utf-8")
    ended = run_quietly(tmp_path, "app")
    assert "write    a.txt" in ended.stderr


def test_audit_trail_runs_zip_files(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "app.pyz", "w") as app:
        app.writestr("__main__.py", "open('a.txt', 'w').close()\n")
    ended = run_quietly(tmp_path, "app.pyz")
    assert "write    a.txt" in ended.stderr


def test_audit_trail_tells_nothing_of_how_a_script_of_any_name_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("open('a.txt', 'w').close()\n", encoding="utf-8")
    ended = run_quietly(tmp_path, "tool")
    assert "--- tool: exit status 0" in ended.stderr
    assert ended.stderr.count(" write ") == 2
    assert " read " not in ended.stderr
    assert " import " not in ended.stderr


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: script\n"),
        ([str(Path(__file__).parent)], "there is no __main__.py in"),
        (["missing.py"], "there is no script missing.py"),
        (["--colour", "script.py"], "--colour"),
        (["--output", "no/such/folder", __file__], "cannot write the trail"),
    ],
)
def test_audit_trail_refuses_wrong_arguments(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = subprocess.run(
        example_command("audit_trail.py", *arguments),
        cwd=tmp_path,
        env=example_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert message in ended.stderr.splitlines(keepends=True)[-1]


def test_audit_trail_explains_itself() -> None:
    ended = subprocess.run(
        example_command("audit_trail.py", "--help"),
        env=example_environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 0
    for word in ("--output", "--all", "script"):
        assert word in ended.stdout


def test_audit_trail_needs_no_more_than_the_library() -> None:
    text = Path(example_command("audit_trail.py")[-1]).read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - sys.stdlib_module_names == {"asyncutils_rx"}
