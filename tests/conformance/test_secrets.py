"""The login of a source, and a token of MLflow, turn up in no file that a run leaves, and in nothing that it prints."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TOOL
from tests.secrets import USER, find, forms_in, locked_source

PASSWORD, TOKEN = "c0nf&rm /secret?", "a-planted-token-of-mlflow"
Command = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture
def command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the tool's command for a source; the password is in a .netrc, the token in the environment."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    (tmp_path / "netrc").write_text(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"')
    words = [sys.executable, "-m", f"{TOOL}_impl.run", "2013-06", "--min-rows", "100", "--families", "logistic"]
    return lambda url: subprocess.run([*words, "--source", url], capture_output=True, text=True, timeout=240)


def leaks(done: subprocess.CompletedProcess[str], home: Path) -> dict[str, set[str]]:
    """Where password or token are, in the home of the run and in what it has printed."""
    found = find(PASSWORD, home) | find(TOKEN, home)
    printed = forms_in(PASSWORD, done.stdout + done.stderr) | forms_in(TOKEN, done.stdout + done.stderr)
    return found | ({"printed": printed} if printed else {})


def test_login_of_the_source_turns_up_nowhere(command: Command, home: Path, source: Path) -> None:
    with locked_source(source, PASSWORD) as url:
        done = command(url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert find(url, home)  # the records name the source
    assert leaks(done, home) == {}


def test_wrong_login_fails_the_run_in_a_sentence_that_holds_none(command: Command, home: Path, source: Path) -> None:
    with locked_source(source, "another one") as url:
        done = command(url)
    assert done.returncode == 1
    assert f"the source {url} asks for another login (HTTP status 401); check the entry of its host" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert leaks(done, home) == {}


def test_source_with_a_login_in_it_is_refused_before_anything_is_recorded(command: Command, home: Path) -> None:
    done = command(f"http://{USER}:c0nf&rm%20%2Fsecret%3F@127.0.0.1:9/drop")
    assert done.returncode == 1
    assert "error: source is a URL with a user, a password or a query in it, expected one without" in done.stderr
    assert leaks(done, home) == {}
    assert not (home / "records").exists()
