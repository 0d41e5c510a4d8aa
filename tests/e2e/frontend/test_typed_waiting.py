"""What is said while a large frame is analysed, and what is left when that is interrupted."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.frontend.typed_kernel import rows_of

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, Result

SLOW = """
import dtale.views
def slow(make=dtale.views.dtype_formatter):
    import time
    def make_slow(*args, **keywords):
        describe = make(*args, **keywords)
        def described(index, column):
            for _ in range(40):
                time.sleep(0.02)
            return describe(index, column)
        return described
    return make_slow
fast_formatter, dtale.views.dtype_formatter = dtale.views.dtype_formatter, slow()
"""
FAST = "dtale.views.dtype_formatter = fast_formatter"


@pytest.fixture
def slow_kernel(kernel: Kernel) -> Any:
    """A kernel in which D-Tale takes most of a second for each column."""
    kernel.run("%dtale --drop all")
    kernel.run("import dtale\n" + SLOW)
    kernel.run("big = pd.DataFrame({'one': [1], 'two': [2], 'three': [3], 'four': [4]})")
    yield kernel
    kernel.run(FAST)


def said(shown: Result) -> list[str]:
    return [bundle.get("text/plain", "") for bundle in shown.displays]


def interrupt(kernel: Kernel, code: str, seconds: float = 1.2) -> Result:
    """Run `code` and press ■ meanwhile."""
    message = kernel.send(code)
    time.sleep(seconds)
    os.kill(kernel.pid, signal.SIGINT)
    return kernel.finish(message, ok=False)


def test_a_column_of_how_many_is_said_and_nothing_is_left(slow_kernel: Kernel) -> None:
    shown = slow_kernel.run("%dtale big")
    progress = [text for text in said(shown) if "Analysing big: column" in text]
    assert any("column 3 of 4, three" in text for text in progress)
    assert all("interrupt" in text for text in progress)
    assert "Analysing" not in said(shown)[-1], "the panel has taken its place"


def test_a_quick_show_says_nothing(kernel: Kernel) -> None:
    kernel.run("%dtale df")
    # On a slow machine no show is quick: here, all that take less than a minute are.
    kernel.run("import dtale_magics.frontend.progress as progress")
    kernel.run("quiet, progress._QUIET_SECONDS = progress._QUIET_SECONDS, 60.0")
    shown = said(kernel.run("%dtale df"))
    kernel.run("progress._QUIET_SECONDS = quiet")
    assert not any("Analysing" in text or "Reading" in text for text in shown)


def test_an_interrupt_is_one_line_and_leaves_nothing(slow_kernel: Kernel) -> None:
    shown = interrupt(slow_kernel, "%dtale big\nnever = 1")
    assert shown.error == "KeyboardInterrupt"
    assert shown.traceback.strip() == "Interrupted: big is not shown."
    assert not said(shown)[-1].strip(), "the line of progress is gone"
    assert slow_kernel.status()["frames"] == []
    assert slow_kernel.value("'never' in globals()") is False
    slow_kernel.run(FAST)
    slow_kernel.run("%dtale big")
    assert [row["four"] for row in rows_of(slow_kernel, "big")] == [4]


def test_an_interrupt_stops_what_would_run_next(slow_kernel: Kernel) -> None:
    message = slow_kernel.send("%dtale big")
    following = slow_kernel.send("ran_on = 1")
    time.sleep(1.2)
    os.kill(slow_kernel.pid, signal.SIGINT)
    assert slow_kernel.finish(message, ok=False).error == "KeyboardInterrupt"
    reply = slow_kernel._reply(following, time.monotonic() + 60)
    assert reply["content"]["status"] == "aborted"
    slow_kernel.run("pass")
    assert slow_kernel.value("'ran_on' in globals()") is False


def test_an_interrupt_keeps_what_was_shown_before(slow_kernel: Kernel) -> None:
    slow_kernel.run(FAST)
    slow_kernel.run("%dtale big --name kept")
    slow_kernel.run(SLOW + "big['one'] = 7")
    shown = interrupt(slow_kernel, "%dtale big --name kept")
    assert shown.traceback.strip() == "Interrupted: D-Tale still shows the last kept."
    assert [row["one"] for row in rows_of(slow_kernel, "kept")] == [1]


@pytest.mark.parametrize(
    "swallowed",
    ["time.sleep(0.4)\n            except BaseException:\n                pass"],
)
def test_an_interrupt_that_dtale_takes_for_an_error_counts(
    slow_kernel: Kernel, swallowed: str
) -> None:
    slow_kernel.run(FAST)
    slow_kernel.run(
        "import time\n"
        "def deaf(make=dtale.views.dtype_formatter):\n"
        "    def make_deaf(*args, **keywords):\n"
        "        describe = make(*args, **keywords)\n"
        "        def described(index, column):\n"
        f"            try:\n                {swallowed}\n"
        "            return describe(index, column)\n"
        "        return described\n"
        "    return make_deaf\n"
        "dtale.views.dtype_formatter = deaf()"
    )
    shown = interrupt(slow_kernel, "%dtale big", seconds=0.6)
    assert shown.traceback.strip() == "Interrupted: big is not shown."
    assert slow_kernel.status()["frames"] == []


def test_an_interrupt_of_the_users_own_expression_is_theirs(kernel: Kernel) -> None:
    kernel.run("import time\ndef load():\n    time.sleep(30)")
    shown = interrupt(kernel, "%dtale load()")
    assert shown.error == "KeyboardInterrupt"
    assert "time.sleep(30)" in shown.traceback


def test_a_failing_show_leaves_no_progress(slow_kernel: Kernel) -> None:
    shown = slow_kernel.run("%dtale big --sort nope", ok=False)
    assert shown.error == "UsageError"
    assert not any("Analysing" in text for text in said(shown)[-1:])


def test_a_large_frame_is_told_of_samples(kernel: Kernel) -> None:
    kernel.run("%config DtaleMagics.large_cells = 1000\nlong = pd.DataFrame({'n': range(2000)})")
    try:
        shown = kernel.run("%dtale long")
        assert any("--sample 100000" in text for text in said(shown))
        assert "--sample" not in said(shown)[-1]
        kernel.run("%config DtaleMagics.large_cells = 2001")
        assert not any("--sample" in text for text in said(kernel.run("%dtale long")))
    finally:
        kernel.run("%config DtaleMagics.large_cells = 5000000")


def test_the_interrupt_handler_is_the_kernels_again(kernel: Kernel) -> None:
    kernel.run("import signal; before = signal.getsignal(signal.SIGINT)")
    kernel.run("%dtale df")
    assert kernel.value("signal.getsignal(signal.SIGINT) is before") is True
