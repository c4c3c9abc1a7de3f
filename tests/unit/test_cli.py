from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_runway import __version__
from airflow_runway.cli import main
from airflow_runway.demo import run
from airflow_runway.demo.errors import DemoError


@pytest.fixture
def seen(monkeypatch):
    """The options that a demo would have been run with."""
    options = []
    monkeypatch.setattr(run, "run_demo", options.append)
    return options


@pytest.fixture
def no_start(monkeypatch):
    def refuse(*args):
        raise AssertionError("something was started")

    monkeypatch.setattr(run, "_play", refuse)


class TestMain:
    def test_a_demo_needs_no_words_at_all(self, seen):
        assert main(["demo"]) == 0
        (options,) = seen
        assert options.image is None
        assert options.seconds == 5
        assert options.out == Path("runway-demo")
        assert not options.keep

    def test_all_options(self, seen):
        words = ["demo", "a.png", "--out", "clips", "--prompt", "Rain", "--seconds", "10", "--keep"]
        assert main(words) == 0
        assert seen == [run.DemoOptions(Path("a.png"), Path("clips"), "Rain", 10, True)]

    @pytest.mark.parametrize(
        "words", [[], ["demo", "--seconds", "1"], ["demo", "--seconds", "11"], ["dance"]]
    )
    def test_wrong_words_end_with_2(self, words, capsys):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2

    def test_version(self, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out == f"airflow-runway {__version__}\n"

    def test_a_wrong_picture_is_found_before_anything_starts(self, tmp_path, capsys, no_start):
        path = tmp_path / "nowhere.jpg"
        assert main(["demo", str(path), "--out", str(tmp_path / "out")]) == 2
        assert str(path) in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_a_missing_extra_is_named_with_its_remedy(self, monkeypatch, capsys, no_start):
        monkeypatch.setattr(run, "find_spec", lambda name: None if name == "av" else object())
        assert main(["demo"]) == 2
        message = capsys.readouterr().err
        assert "PyAV" in message
        assert "Starlette" not in message
        assert "pip install 'airflow-provider-runway[emulator]'" in message

    def test_a_folder_that_cannot_be_made(self, tmp_path, capsys, no_start):
        blocker = tmp_path / "file"
        blocker.touch()
        assert main(["demo", "--out", str(blocker / "out")]) == 2
        assert "--out" in capsys.readouterr().err

    def test_a_failed_run_ends_with_1_and_says_where_the_logs_are(self, tmp_path, monkeypatch, capsys):
        def fail(*args):
            raise DemoError("The task submit ended as failed.")

        monkeypatch.setattr(run, "_play", fail)
        monkeypatch.setattr(run.tempfile, "mkdtemp", lambda **_: str(tmp_path))
        assert main(["demo", "--out", str(tmp_path / "out")]) == 1
        message = capsys.readouterr().err
        assert "submit ended as failed" in message
        assert str(tmp_path) in message
        assert tmp_path.exists()

    def test_an_interruption_ends_with_130_and_leaves_no_home(self, tmp_path, monkeypatch):
        home = tmp_path / "home"
        home.mkdir()

        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(run, "_play", interrupt)
        monkeypatch.setattr(run.tempfile, "mkdtemp", lambda **_: str(home))
        assert main(["demo", "--out", str(tmp_path / "out")]) == 130
        assert not home.exists()


def test_the_command_line_loads_nothing_heavy():
    code = (
        "import sys, airflow_runway.cli, airflow_runway.demo.run;"
        "print({'airflow', 'av', 'PIL', 'starlette', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
