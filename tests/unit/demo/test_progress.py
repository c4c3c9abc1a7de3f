from __future__ import annotations

from airflow_runway.demo.progress import ProgressLines, breakdown, generation_text, progress_line


class TestProgressLine:
    def test_time_phase_and_text_stand_in_columns(self):
        assert progress_line(3.21, "wait", "deferred") == "   3.2 s  wait     deferred"
        assert progress_line(123.0, "submit", "running") == " 123.0 s  submit   running"

    def test_it_contains_no_control_characters(self):
        line = progress_line(1, "save", "a\x1b[31m\nb\r")
        assert line.isprintable()
        assert "a" in line
        assert "b" in line

    def test_no_blanks_at_its_end(self):
        assert progress_line(1, "save", "") == "   1.0 s  save"


class TestGenerationText:
    def test_the_newest_one_counts(self):
        tasks = [{"status": "FAILED", "progress": None}, {"status": "RUNNING", "progress": 0.59}]
        assert generation_text(tasks) == "generation RUNNING 40 %"

    def test_a_status_without_progress(self):
        assert generation_text([{"status": "PENDING"}]) == "generation PENDING"

    def test_none_yet(self):
        assert generation_text([]) == ""


def test_the_breakdown_keeps_the_order_of_the_phases_and_ends_with_the_total():
    lines = breakdown({"save": 2.0, "submit": 1.0}, 3.5).splitlines()
    assert [line.split()[0] for line in lines] == ["submit", "save", "total"]
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].endswith("3.5 s")


class TestProgress:
    def make(self):
        self.now = 100.0
        self.lines = []
        return ProgressLines(self.lines.append, clock=lambda: self.now)

    def test_each_phase_gets_its_own_time(self):
        progress = self.make()
        progress.enter("check")
        self.now += 1
        progress.enter("submit", "run triggered")
        self.now += 2
        progress.enter("submit")
        self.now += 3
        progress.enter("wait")
        self.now += 4
        progress.finish()
        assert progress.seconds == {"check": 1.0, "submit": 5.0, "wait": 4.0}
        assert progress.elapsed == 10.0

    def test_what_was_said_just_now_is_not_said_again(self):
        progress = self.make()
        progress.tell("wait", "deferred")
        progress.tell("wait", "deferred")
        progress.tell("wait", "running")
        progress.tell("wait", "deferred")
        assert [line.split()[-1] for line in self.lines] == ["deferred", "running", "deferred"]
