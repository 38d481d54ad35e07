"""The SQL prompt on a real terminal, and shell completions."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from lake import Node, generate

TABLE = "partner_central_opportunity"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("prompt"))
    node.start()
    try:
        generate(node.source / "opps.ndjson", 50)
        node.setup("acme")
        assert node.settled(node.run("acme"), "acme")["status"] == "succeeded"
        yield node
    finally:
        node.kill()


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, node, home, term="dumb"):
        a = node.addresses()
        env = dict(os.environ, LAKEWRIGHT_SERVER="http://" + a["admin"], LAKEWRIGHT_FLIGHT="http://" + a["flight"], LAKEWRIGHT_TOKEN=node.token,
                   XDG_STATE_HOME=str(home), TERM=term)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(node.binary, [node.binary, "sql"], env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.seen = ""

    def until(self, text, seconds=60):
        """Reads until a text has come; answers all that came before."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come; the terminal shows:\n{self.seen}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, text):
        """Types a line; answers what is shown before the next prompt."""
        self.type(text + "\r")
        return self.until("lakewright> ")

    def leave(self):
        self.type("\\q\r")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def terminal(node, tmp_path):
    t = Terminal(node, tmp_path)
    t.until("lakewright> ")
    yield t
    try:
        os.kill(t.pid, signal.SIGKILL)
        os.waitpid(t.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    os.close(t.fd)


def test_statements_commands_and_history(terminal, tmp_path):
    terminal.type(f"SELECT count(*) AS live\r")
    terminal.type(f"  FROM {TABLE};\r")
    shown = terminal.until("lakewright> ")
    assert "live" in shown and "1 row" in shown and " s" in shown
    assert TABLE in terminal.ask("\\passport")
    assert "partner_central_opportunity__changes" in terminal.ask("\\d")
    assert "lifecycle_stage" in terminal.ask(f"\\d silver.{TABLE}")
    assert "silver" in terminal.ask("\\dn")
    assert "timing is off" in terminal.ask("\\timing")
    assert "error: " in terminal.ask("SELECT nonsense;")
    terminal.ask("SET require_freshness = '1ms';")
    assert "require_freshness allows 1ms" in terminal.ask(f"SELECT 1 FROM {TABLE};")
    assert "0.001s" in terminal.ask("\\options")
    assert "is no command" in terminal.ask("\\nope")
    assert terminal.leave() == 0
    assert "SELECT nonsense;" in (tmp_path / "lakewright" / "sql_history").read_text()


def test_a_line_is_edited_and_comes_back_from_history(node, tmp_path):
    t = Terminal(node, tmp_path, "xterm")
    t.until("lakewright> ")
    t.type("SELECT 40 + 3;\x1b[D\x7f2\r")
    t.until("42")
    t.until("1 row")
    t.until("lakewright> ")
    t.type("\x1b[A\r")
    t.until("1 row")
    # What is typed before the prompt is back is the terminal's, not the editor's.
    t.until("lakewright> ")
    t.type("\x04")
    assert os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1]) == 0


def test_ctrl_c_cancels_the_query_and_not_the_prompt(terminal):
    terminal.type("SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value % 7 = 3;\r")
    # The editor gives the terminal back before the query runs: only then is Ctrl-C a signal.
    terminal.until("3;")
    time_limit = time.monotonic() + 60
    while "cancelled" not in terminal.seen and time.monotonic() < time_limit:
        os.write(terminal.fd, b"\x03")
        # One that came before the query began is for the editor: then another is pressed.
        while "cancelled" not in terminal.seen and select.select([terminal.fd], [], [], 2)[0]:
            terminal.seen += os.read(terminal.fd, 65536).decode(errors="replace")
    terminal.until("lakewright> ")
    assert "7" in terminal.ask("SELECT 3 + 4;")


def test_without_a_terminal_a_query_is_read_and_answered(node):
    done = node.cli("sql", "-", check=False)
    assert done.returncode != 0
    a = node.addresses()
    env = dict(os.environ, LAKEWRIGHT_FLIGHT="http://" + a["flight"], LAKEWRIGHT_TOKEN=node.token)
    done = subprocess.run([node.binary, "sql", "-o", "csv"], input="SELECT 1 AS one", env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "one\n1\n"


@pytest.mark.parametrize("shell,mark", [("bash", "complete -F _lakewright"), ("zsh", "#compdef lakewright"), ("fish", "complete -c lakewright")])
def test_completions(node, shell, mark):
    script = node.cli("completions", shell, as_json=False).stdout
    assert mark in script and "require" not in script and "deadletter" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
