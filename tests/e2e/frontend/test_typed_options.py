"""Options are checked before anything changes; help; values for code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.frontend.typed_kernel import last_shown, refusal
from tests.support.plain_http import data_url, request

if TYPE_CHECKING:
    from tests.support.kernels import Kernel

REFUSED = [
    ("--show-columns nope", ["no column 'nope'", "Columns: a, zip, k"]),
    ("--hide-columns a,zap", ["no column 'zap'", "Did you mean zip?"]),
    ("--hide-columns 'a,zip'", ["type: --hide-columns a,zip"]),
    ("--hide-columns 'zip,  k'", ["type: --hide-columns zip,k"]),
    ("--sort 'zip:DESC'", ["In quotes it is one name; type: --sort zip:DESC"]),
    ('--sort "zip desc"', ["type: --sort zip:DESC"]),
    ('--sort "zip:DESC, a"', ["type: --sort zip:DESC,a"]),
    ("--sort 'zip:DESC','a:ASC'", ["type: --sort zip:DESC"]),
    ("--sort -zip", ["Type for example: --sort zip:DESC"]),
    ("--sort a,DESC", ["Type for example: --sort a:DESC"]),
    ("--sort a --descending", ["Did you mean --sort a:DESC?"]),
    ("--sort {'nope':'DESC'}", ["no column 'nope'"]),
    ("--locked nope", ["no column 'nope', which --locked names"]),
    ("--sort nope", ["no column 'nope'", "Columns: a, zip, k"]),
    ("--sort a,K", ["no column 'K'", "Did you mean k?"]),
    ("--sort a:UP", ["'UP' is no direction", "ASC and DESC", "--sort a:DESC"]),
    ("--sort [('a','UP')]", ["'UP' is no direction"]),
    ("--column-formats {'nope':{'fmt':'0.0'}}", ["no column 'nope'"]),
    ("--column-formats {'a':1}", ["does not say what to do with which column"]),
    ("--column-formats 5", ["does not say what to do"]),
    ("--column-formats x", ["takes a value of type dict"]),
    ("--range-highlights {'a':1}", ["does not say what to do with which column"]),
    ("--range-highlights {'q':{'active':True}}", ["no column 'q'"]),
    ("--range-highlights {'a':{'bigger':5}}", ["does not say what to do"]),
    ("--column-edit-options {'q':['x']}", ["no column 'q'"]),
    ("--allow-cell-edits a,b", ["no column 'b', which --allow-cell-edits names"]),
    ("--theme purple", ["--theme purple is not known", "light, dark"]),
    ("--theme drak", ["Did you mean dark?"]),
    ("--background-mode x", ["heatmap-all", "outliers"]),
    ("--background-mode heatmap-col-nope", ["no column 'nope'"]),
    ("--precision -1", ["0 to 100"]),
    ("--precision 2.5", ["takes a value of type int"]),
    ("--hide-columns a,zip,k", ["Every column of df would be hidden"]),
    ("--show-columns a --hide-columns a", ["Every column of df would be hidden"]),
    ("-theme dark", ["Did you mean --theme?"]),
    ("-theme", ["Did you mean --theme?"]),
    ("-sort a", ["Did you mean --sort?"]),
    ("--themee dark", ["Did you mean --theme?"]),
    ("--dark", ["Did you mean --theme dark?"]),
    ("--columns a", ["--show-columns"]),
    ("--title Sales", ["--main-title"]),
    ("--host 0.0.0.0", ["no option --host", "whoever has the link"]),
    ("--app-root /x", ["no option --app-root", "%dtale_port --check"]),
    ("--sample many", ["--sample takes a number of rows"]),
    ("--sample 0", ["--sample takes a number of rows"]),
    ("theme=dark", ["Type for example: --theme dark"]),
    ("--Theme dark", ["Did you mean --theme?"]),
    ("--name two words", ["Words stand in quotes: --name 'two words'"]),
    ("--main-title Sales of 2024", ["--main-title 'Sales of 2024'"]),
    ("--hide-columns a zip", ["separated by commas: --hide-columns a,zip"]),
    ("--theme dark zip", ["One frame at a time", "needs quotes"]),
    ("--rows three", ["If the variable is meant: --rows {three}"]),
    ("--column-formats formats", ["type dict", "--column-formats {formats}"]),
    ("--theme dusk", ["light, dark", "--theme {dusk}"]),
    ("--sample three", ["--sample {three}"]),
    ("--zzz", ["%dtale -h lists the options"]),
    ("--hide-columns", ["--hide-columns needs a value"]),
    ("--rows", ["--rows needs a value", "%dtale df --rows 10000"]),
    ("--name", ["--name needs a value", "%dtale df --name sales"]),
    ("--name f'{a.b}'", ["more than a variable's name", "label = f'{a.b}'"]),
]


@pytest.mark.parametrize(("options", "says"), REFUSED)
def test_what_does_not_fit_is_refused(kernel: Kernel, options: str, says: list[str]) -> None:
    kernel.run("three, dusk, formats = 3, 'dark', {'a': {'fmt': '0.0'}}")
    answer = refusal(kernel, f"%dtale df {options}")
    for part in says:
        assert part in answer, answer


def test_refusals_change_nothing(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all\n%dtale df --sort a:DESC --theme dark")
    before = look_of(kernel)
    for options, _ in REFUSED:
        kernel.run(f"%dtale df {options}", ok=False)
    assert look_of(kernel) == before
    kernel.run("%dtale --drop all")
    for options, _ in REFUSED[::3]:
        kernel.run(f"%dtale df {options}", ok=False)
    assert kernel.status()["frames"] == []


def look_of(kernel: Kernel) -> Any:
    """How the one frame looks: its settings, its columns and their order, and its rows."""
    (frame,) = kernel.status()["frames"]
    data = request(data_url(frame["url"])).json()
    settings = kernel.value(
        f"__import__('dtale.global_state').global_state.get_settings('{frame['data_id']}')"
    )
    visible = [
        one["name"] for one in data["columns"] if one["visible"] and one["name"] != "dtale_index"
    ]
    return frame["name"], settings, visible, data["results"]


def test_many_columns_are_not_all_listed(kernel: Kernel) -> None:
    kernel.run("many = pd.DataFrame([range(500)]).add_prefix('c')")
    answer = refusal(kernel, "%dtale many --sort nope")
    assert "c0, c1" in answer
    assert "480 more" in answer
    assert len(answer) < 400


ODD = (
    'odd = pd.DataFrame([[1, 2, 3, 4, 5, 6]], columns=["a,b", "c:d", "e f", 7, "it\'s", "x:DESC"])'
)


@pytest.mark.parametrize(
    ("options", "visible"),
    [
        ("--hide-columns 'a,b'", ["c:d", "e f", "7", "it's", "x:DESC"]),
        ("--hide-columns 'a,b',\"it's\", 7", ["c:d", "e f", "x:DESC"]),
        ("--show-columns 'e f','c:d'", ["c:d", "e f"]),
        ("--show-columns ['e f', 7]", ["e f", "7"]),
        ("--show-columns c:d,7", ["c:d", "7"]),
        ("--show-columns=7", ["7"]),
        ("--sort c:d", ["a,b", "c:d", "e f", "7", "it's", "x:DESC"]),
        ("--sort c:d:DESC,'e f':ASC", ["a,b", "c:d", "e f", "7", "it's", "x:DESC"]),
        ("--sort {7:'DESC'}", ["a,b", "c:d", "e f", "7", "it's", "x:DESC"]),
        ("--sort 'x:DESC'", ["a,b", "c:d", "e f", "7", "it's", "x:DESC"]),
        ("--hide_columns c:d,7", ["a,b", "e f", "it's", "x:DESC"]),
        ("--sort 7 DESC, 'e f' ASC", ["a,b", "c:d", "e f", "7", "it's", "x:DESC"]),
        ("--locked 'e f',7", ["e f", "7", "a,b", "c:d", "it's", "x:DESC"]),
    ],
)
def test_columns_are_named_as_they_are_called(
    kernel: Kernel, options: str, visible: list[str]
) -> None:
    kernel.run(ODD)
    kernel.run(f"%dtale --drop all\n%dtale odd {options}")
    assert look_of(kernel)[2] == visible


@pytest.mark.parametrize(
    ("line", "edits"),
    [
        ("%dtale df --allow-cell-edits a,k", ["a", "k"]),
        ("%dtale --allow-cell-edits a,k df", ["a", "k"]),
        ("%dtale df --allow-cell-edits a, k", ["a", "k"]),
        ("%dtale df --allow-cell-edits false", False),
        ("%dtale --allow-cell-edits no df", False),
        ("%dtale df --allow-cell-edits", True),
        ("%dtale --allow-cell-edits df", True),
        ("%dtale --allow-cell-edits df.copy() --name df", True),
        ("%dtale df --allow-cell-edits a --theme dark", ["a"]),
    ],
)
def test_a_switch_does_not_eat_the_expression(kernel: Kernel, line: str, edits: Any) -> None:
    name, _ = last_shown(kernel, line)
    assert name == "df"
    assert look_of(kernel)[1]["allow_cell_edits"] == edits


def test_a_name_and_a_fresh_start(kernel: Kernel) -> None:
    kernel.run(
        "%dtale --drop all\n%dtale df.head(2) --name 'the first two' --sort a:ASC --theme dark"
    )
    name, settings, _, _ = look_of(kernel)
    assert name == "the first two"
    assert settings["theme"] == "dark"
    kernel.run("%dtale --drop 'the first two'")
    assert kernel.status()["frames"] == []


def test_what_an_option_holds_is_taken_in_quotes_and_by_a_variable(kernel: Kernel) -> None:
    kernel.run("three, formats = 3, {'a': {'fmt': '0.0'}}")
    for typed in ('{"a": {"fmt": "0.0"}}', '\'{"a": {"fmt": "0.0"}}\'', "{formats}"):
        kernel.run(f"%dtale df --rows {{three}} --column-formats {typed} --reset")
        assert look_of_last(kernel)["columnFormats"] == {"a": {"fmt": "0.0"}}, typed


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("{label}", "p"),
        ("part_{label}", "part_p"),
        ("'part {label}'", "part p"),
        ('"part $label"', "part p"),
        ('f"part {label}"', "part p"),
        ("'no {such} name'", "no {such} name"),
    ],
)
def test_a_name_has_its_braces_filled_in(kernel: Kernel, typed: str, name: str) -> None:
    kernel.run("label = 'p'")
    assert last_shown(kernel, f"%dtale df --name {typed}")[0] == name
    kernel.run(f"%dtale df --main-title {typed}")
    assert look_of_last(kernel)["main_title"] == name


def look_of_last(kernel: Kernel) -> Any:
    *_, frame = kernel.status()["frames"]
    return kernel.value(
        f"__import__('dtale.global_state').global_state.get_settings('{frame['data_id']}')"
    )


@pytest.mark.parametrize(
    ("dropped", "left"),
    [
        ("the first two", ["first", "df"]),
        ("'the first two' df", ["first"]),
        ("first the first two", ["df"]),
        ("df the first two", ["first"]),
        ("first df", ["the first two"]),
    ],
)
def test_names_of_several_words_need_no_quotes(
    kernel: Kernel, dropped: str, left: list[str]
) -> None:
    kernel.run("%dtale --drop all\n%dtale df.head(2) --name 'the first two'")
    kernel.run("%dtale df.head(1) --name first\n%dtale df")
    assert (
        len(
            kernel.value("get_ipython().run_line_magic('dtale', '--data the first two').a.tolist()")
        )
        == 2
    )
    kernel.run(f"%dtale --drop {dropped}")
    assert [one["name"] for one in kernel.status()["frames"]] == left


def test_a_sample_is_the_same_each_time_and_leaves_random_numbers_alone(kernel: Kernel) -> None:
    kernel.run("long = pd.DataFrame({'n': np.arange(1000)}); np.random.seed(3)")
    before = kernel.value("str(np.random.get_state()[1].tolist())")
    shown = kernel.run("%dtale long --sample 10")
    assert "long: a random sample of 10 of 1,000 rows" in shown.text
    first = last_shown(kernel, "%dtale long --sample 10")[1]
    numbers = [row["n"] for row in first]
    assert kernel.status()["frames"][0]["rows"] == 10
    assert numbers == sorted(numbers)
    assert numbers[-1] > 10, "not the first ones"
    assert last_shown(kernel, "%dtale long --sample 1e1")[1] == first
    assert kernel.value("str(np.random.get_state()[1].tolist())") == before
    assert "sample" not in kernel.run("%dtale long --sample 5000").text


@pytest.mark.parametrize("line", ["-h", "--help", "help", "help;", "?", "df --help", "df -h"])
@pytest.mark.parametrize("magic", ["%dtale", "%dtale_port"])
def test_help_is_help(kernel: Kernel, magic: str, line: str) -> None:
    shown = kernel.run(f"{magic} {line}")
    assert f"{magic}  " in shown.text
    assert ("--take" if magic == "%dtale_port" else "--hide-columns") in shown.text


def test_help_is_a_frame_where_there_is_one_of_that_name(kernel: Kernel) -> None:
    kernel.run("help = df.head(1)")
    assert last_shown(kernel, "%dtale help")[0] == "help"
    kernel.run("del help")


def test_the_port_and_the_list_are_values(kernel: Kernel) -> None:
    shown = kernel.run("x = %dtale_port")
    assert "bound port" in shown.text
    assert kernel.value("type(x).__name__") == "Status"
    assert kernel.value("x.port") == kernel.status()["port"]
    kernel.run("y = %dtale --list")
    assert kernel.value("[one['pid'] for one in y]")[0] == kernel.pid
    kernel.run("z = %dtale_port --take")
    assert kernel.value("z.ours") is True


@pytest.mark.parametrize("line", ["%dtale_port", "%dtale --list", "%dtale_port --take"])
def test_a_value_is_shown_once_and_in_words(kernel: Kernel, line: str) -> None:
    shown = kernel.run(line)
    assert len(shown.displays) == 1
    assert shown.value is None
    kernel.run(f"value = {line}")
    later = kernel.run("value")
    assert len(later.displays) == 1
    assert "(" not in later.displays[0]["text/plain"].partition("\n")[0], "no dataclass's repr"
    slug = kernel.status()["url"].rstrip("/").rpartition("/")[2]
    assert slug not in later.text, "what is saved with the notebook holds no link"


@pytest.mark.parametrize(
    "line", ["%dtale_port --take  # mine", "%dtale_port # Ada's", "%dtale --list;  # all"]
)
def test_comments_behind_options(kernel: Kernel, line: str) -> None:
    assert kernel.run(line).error is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%dtale_port --resett", "Did you mean --reset"),
        ("%dtale_port -take", "Did you mean --take?"),
        ("%dtale --drop nope", "no frame 'nope'"),
        ("%dtale --drop", "--drop needs a value"),
        ("%dtale --drop df nope", "no frame 'nope'"),
        ("%dtale --stop df", "--stop stands alone"),
        ("%dtale --name x", "needs a frame"),
        ("%dtale --data df --sort a", "--data stands alone, without --sort"),
        ("%dtale --auto", "%dtale --auto on"),
    ],
)
def test_what_is_not_possible_is_said(kernel: Kernel, line: str, says: str) -> None:
    kernel.run("%dtale df")
    before = kernel.status()
    assert says in refusal(kernel, line)
    assert kernel.status() == before


def test_several_frames_are_dropped_at_once(kernel: Kernel) -> None:
    kernel.run("%dtale --drop all\none, two = df.head(1), df.head(2)")
    kernel.run("%dtale one\n%dtale two\n%dtale df")
    kernel.run("%dtale --drop one two")
    assert [one["name"] for one in kernel.status()["frames"]] == ["df"]
    kernel.run("%dtale --drop all")
    assert kernel.status()["frames"] == []
    assert "No frame is shown" in kernel.run("%dtale --drop all").text
