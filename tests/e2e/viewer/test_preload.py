"""Loading the extension changes nothing in the user's process, whatever runs meanwhile."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from dtale_magics.viewer.preload import Preload
from tests.support.plain_http import request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel, StartKernel

FRESH_KERNELS = int(os.environ.get("DTALE_MAGICS_FRESH_KERNELS", "5"))
"""How many import D-Tale's modules at random moments; 50 make a thorough run."""

SNAPSHOT = """
def _snapshot():
    import asyncio, builtins, decimal, gc, hashlib, locale, logging, os, random, signal, socket
    import sys, threading, warnings
    import matplotlib, numpy, pandas
    def digest(value):
        return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
    def options(level, path=""):
        for name, value in level.items():
            if isinstance(value, dict):
                yield from options(value, path + name + ".")
            else:
                yield path + name, repr(value)
    formatters = get_ipython().display_formatter
    return {
        "random": digest(random.getstate()),
        "numpy.random": digest([str(part) for part in numpy.random.get_state()]),
        "warning filters": [str(entry) for entry in warnings.filters],
        "showwarning": str(warnings.showwarning),
        "root logger": [logging.root.level, [str(one) for one in logging.root.handlers]],
        "logging disabled": logging.root.manager.disable,
        "signals": {str(one): str(signal.getsignal(one)) for one in signal.valid_signals()},
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "umask": [os.umask(0o22), os.umask(0o22)][1],
        "path": list(sys.path),
        "locale": locale.setlocale(locale.LC_ALL),
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "hooks": [str(sys.excepthook), str(sys.displayhook), str(threading.excepthook),
                  str(sys.unraisablehook), str(sys.gettrace()), str(sys.getprofile())],
        "import": str(builtins.__import__),
        "import hooks": [str(one) for one in sys.path_hooks],
        "display formatters": {
            mime: sorted(str(kind) for kind in one.type_printers)
            for mime, one in formatters.formatters.items() if mime != "text/plain"
        },
        "active formatters": list(formatters.active_types),
        "pandas options": digest(sorted(options(pandas.options.d))),
        "matplotlib options": digest(sorted((key, repr(value)) for key, value in
                                            matplotlib.rcParams.items() if key != "backend")),
        "socket timeout": socket.getdefaulttimeout(),
        "decimal": str(decimal.getcontext()),
        "garbage collection": [gc.get_threshold(), gc.isenabled()],
        "event loop policy": type(asyncio.get_event_loop_policy()).__name__,
        "streams": [str(type(sys.stdout)), str(type(sys.stderr)), str(type(sys.stdin))],
        "start method": __import__("multiprocessing").get_start_method(allow_none=True),
    }
"""

MODULES = [
    "dtale.global_state",
    "dtale.config",
    "dtale.utils",
    "dtale.views",
    "dtale.app",
    "dtale.query",
    "dtale.column_builders",
    "dtale.dash_application.charts",
    "dtale.predefined_filters",
    "dtale.cli.clickutils",
    "dtale",
    "pandas.core.indexes.period",
    "scipy.stats.distributions",
    "matplotlib.pyplot",
    "xarray.core.dataset",
    "plotly.graph_objs",
    "dash.dependencies",
]


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if before[name] != after[name]]


@pytest.mark.parametrize("seed", [1])
def test_the_users_process_is_the_same_after_everything(
    start_kernel: StartKernel, seed: int
) -> None:
    """Beside a thread that computes, and with pauses at random, in which the import goes on."""
    chance = random.Random(seed)
    kernel = start_kernel()
    kernel.run(SNAPSHOT)
    kernel.run(
        "import threading, pandas as pd, numpy as np, matplotlib.pyplot, random, warnings\n"
        "def _compute():\n    while not _done: sum(range(2000))\n"
        "_done = []\nthreading.Thread(target=_compute, daemon=True).start()\n"
        "df = pd.DataFrame({'a': [1, 2]}); random.seed(7); np.random.seed(7)\n"
        "warnings.filterwarnings('error', 'a filter of my own')"
    )
    before = kernel.value("_snapshot()")
    url = ""
    for step in [
        "%load_ext dtale_magics",
        "pass",
        "%dtale df",
        "prefix",
        "%dtale --new-link",
        "link",
        "%dtale_port --take",
        "%dtale_port --release",
        "inst = %dtale df",
        "%dtale --stop",
        "%unload_ext dtale_magics",
    ]:
        time.sleep(chance.choice([0.0, 0.3, 1.5]))
        if step == "prefix":  # another public root: D-Tale builds an app for it in our server
            port, slug = url.split(":")[2].split("/")[:2]
            headers = {"X-Forwarded-Prefix": f"/user/ada/proxy/{port}"}
            assert request(f"http://127.0.0.1:{port}/{slug}/dtale/main/1", headers=headers).status
        elif step == "link":
            assert request(f"{kernel.status()['url']}dtale/main/1").status == 200
        else:
            # There is nobody to release the port to, and it is said so.
            kernel.run(step, ok=step != "%dtale_port --release")
        if step == "%dtale df":
            url = kernel.status()["url"]
        assert changed(before, kernel.value("_snapshot()")) == [], step


def test_a_seeded_notebook_gives_the_same_numbers_each_time(start_kernel: StartKernel) -> None:
    """The seed is set beside the import, at whatever moment; NumPy's answer is known."""
    for pause in (0.0, 0.4, 1.1):
        kernel = start_kernel()
        kernel.run("%load_ext dtale_magics")
        time.sleep(pause)
        kernel.run("import numpy as np, random, time\nnp.random.seed(0); random.seed(0)")
        kernel.run("import pandas as pd; df = pd.DataFrame({'a': [1]}); time.sleep(2)")
        kernel.run("%dtale df")
        assert kernel.value("np.random.rand()") == 0.5488135039273248
        assert kernel.value("random.random()") == 0.8444218515250481
        kernel.close()


def test_a_filter_that_is_set_beside_the_import_stays(start_kernel: StartKernel) -> None:
    for pause in (0.0, 0.5):
        kernel = start_kernel()
        kernel.run("%load_ext dtale_magics")
        time.sleep(pause)
        kernel.run("import warnings; warnings.filterwarnings('ignore', 'mine')")
        kernel.run("import pandas as pd; df = pd.DataFrame({'a': [1]})")
        time.sleep(2.5)
        kernel.run("%dtale df")
        assert "mine" in kernel.value("str(warnings.filters)")
        kernel.close()


@pytest.mark.timeout(400)
def test_any_import_soon_after_the_extension_works_and_so_does_dtale() -> None:
    """In fresh kernels, at a random moment, in the cell of %load_ext or in the next one."""
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    for number in range(FRESH_KERNELS):
        module = MODULES[number % len(MODULES)] if number < 3 else chance.choice(MODULES)
        pause = chance.choice([0.0, 0.0, 0.1, 0.3, 0.6, 1.0, 1.6])
        same_cell = chance.random() < 0.5
        with fresh_kernel() as kernel:
            load = "%load_ext dtale_magics"
            imports = f"import pandas as pd\nimport {module} as found\nassert found.__spec__"
            if same_cell:
                kernel.run(f"{load}\n{imports}")
            else:
                kernel.run(load)
                time.sleep(pause)
                kernel.run(imports)
            kernel.run("df = pd.DataFrame({'a': [1]})")
            kernel.run("%dtale df")
            frames = kernel.status()["frames"]
            assert [frame["name"] for frame in frames] == ["df"], (seed, number, module, pause)


def test_the_environment_is_the_users_whatever_an_import_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the user's other threads write beside the import stays, and so does its type."""
    monkeypatch.setenv("MINE", "before")
    monkeypatch.setenv("MINE_TOO", "before")
    monkeypatch.delenv("THEIRS", raising=False)
    monkeypatch.delenv("ANOTHER_THREADS", raising=False)
    monkeypatch.setenv("ANOTHER_THREADS_TOO", "before")
    kind = type(os.environ)

    def another_thread() -> None:
        os.environ["ANOTHER_THREADS"] = "kept"
        del os.environ["ANOTHER_THREADS_TOO"]

    def load() -> None:
        os.environ["MINE"] = "overwritten"
        os.environ["MINE"] = "twice"
        os.environ.pop("MINE_TOO")
        os.environ.setdefault("THEIRS", "set by a library")
        thread = threading.Thread(target=another_thread)
        thread.start()
        thread.join()
        raise ImportError

    with pytest.raises(ImportError):
        Preload(load).complete()
    assert type(os.environ) is kind
    names = ("MINE", "MINE_TOO", "THEIRS", "ANOTHER_THREADS", "ANOTHER_THREADS_TOO")
    wanted = ["before", "before", None, "kept", None]
    assert [os.environ.get(name) for name in names] == wanted
    code = (
        "import json, os, sys; print(json.dumps([os.environ.get(name) for name in sys.argv[1:]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert json.loads(done.stdout) == wanted


def test_an_import_that_failed_is_tried_again(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run(
        "import sys\nclass Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'missingno': raise ImportError('missingno is not installed')\n"
        "sys.meta_path.insert(0, Missing())\n%load_ext dtale_magics\n"
        "import pandas as pd; df = pd.DataFrame({'a': [1]})"
    )
    time.sleep(2)
    first = kernel.run("%dtale df", ok=False)
    assert "missingno is not installed" in first.text
    kernel.run("sys.meta_path = [one for one in sys.meta_path if type(one).__name__ != 'Missing']")
    kernel.run("%dtale df")
    assert [frame["name"] for frame in kernel.status()["frames"]] == ["df"]


def test_pieces_are_what_dtale_imports_itself() -> None:
    """Nothing is imported for it that D-Tale would not import."""
    code = (
        "import sys, dtale.app\nfrom dtale_magics.viewer.preload import PIECES\n"
        "print([name for name in PIECES if name not in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_request_before_dtale_is_there_imports_nothing(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    kernel.run(f"%load_ext dtale_magics\n%dtale_port {kernel.ports[2]}\nimport sys, time")
    url = kernel.value("__import__('dtale_magics').status().url")
    running = kernel.send("time.sleep(2); late = 'dtale.app' in sys.modules")
    answer = request(f"{url}dtale/main")
    kernel.finish(running)
    assert (answer.status, "%dtale df" in answer.text) == (503, True) or kernel.value("late")


def fresh_kernel() -> Kernel:
    from tests.support.kernels import Kernel
    from tests.support.ports import PortClaims

    with PortClaims() as claims:
        return Kernel(claims.take()).start()
