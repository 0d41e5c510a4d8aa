import assert from "node:assert/strict";
import { test } from "node:test";

import {
  headOf,
  rangeErrorOf,
  statusOf,
  wayOf,
  yes,
} from "../../../dtale_magics/frontend/static/words.js";

const LINE = { mark: "ours", glyph: "●", text: "D-Tale on port 40001", since: null, note: "" };
const END = { brief: "the kernel has ended", text: "The kernel has ended.", hint: "Start it." };
const FRAME = {
  title: "df: 3 rows × 2 columns",
  name: "df",
  shape: "3 rows × 2 columns",
  note: "",
  newer: null,
  gone: "",
};

function shown({ view = {}, activity = {}, ...more } = {}) {
  return {
    view: {
      label: "eda.ipynb",
      server: LINE,
      outside: { ...LINE, text: "Nobody sees it.", note: "Why." },
      brief: "port 40001",
      button: null,
      news: "",
      warning: "",
      activity: { doing: "", said: null, undo: null, ...activity },
      ...view,
    },
    frame: FRAME,
    end: null,
    concern: "",
    speaks: true,
    asking: false,
    pending: "",
    note: "",
    instead: false,
    hasGrid: true,
    best: null,
    tried: true,
    ...more,
  };
}

test("all well: the frame, its shape, its port", () => {
  const { mark, label, name, facts, note, newer } = headOf(shown());
  assert.deepEqual(
    [mark, label, name, facts, note, newer],
    ["ours", "D-Tale: df", "df", "3 rows × 2 columns · port 40001", "", ""],
  );
});

test("a panel without a frame is called after its notebook", () => {
  const { label, name, facts } = headOf(shown({ frame: {} }));
  assert.deepEqual([label, name, facts], ["D-Tale of eda.ipynb", "eda.ipynb", "port 40001"]);
});

test("what is dead is never green, whatever the last view was", () => {
  for (const state of [
    { end: END },
    { concern: "unreached" },
    { frame: { ...FRAME, gone: "df was dropped." } },
  ]) {
    assert.deepEqual([headOf(shown(state)).mark, headOf(shown(state)).glyph], ["lost", "✗"]);
  }
  assert.equal(headOf(shown({ end: END })).facts, "3 rows × 2 columns · the kernel has ended");
  assert.equal(
    headOf(shown({ frame: { ...FRAME, gone: "df was dropped." } })).facts,
    "df was dropped.",
  );
});

test("an old frame says so, and offers the newer one while the kernel lives", () => {
  const frame = { ...FRAME, note: "as of cell [3]", newer: { data_id: "2", shown: 1 } };
  assert.equal(headOf(shown({ frame })).newer, "Show the newer one here");
  assert.equal(headOf(shown({ frame, instead: true })).newer, "Back to this cell’s");
  assert.equal(
    headOf(shown({ frame, instead: true })).note,
    "Newer than this cell: as of cell [3]",
  );
  assert.equal(headOf(shown({ frame, end: END })).newer, "");
});

test("the page's own way is named before the kernel's opinion", () => {
  const best = { way: "through jupyter-server-proxy", url: "http://localhost/proxy/40001" };
  const way = wayOf(shown({ best }));
  assert.equal(way.here, `This page shows it through jupyter-server-proxy: ${best.url}`);
  assert.equal(way.mark, "ours");
  assert.equal(wayOf(shown()).here, "Nobody sees it.");
  assert.equal(wayOf(shown({ tried: false })).glyph, "…");
});

const SAID = { action: "take", ok: true, text: "Taken.", hint: "" };
for (const [what, state, kind, words] of [
  ["nothing", {}, "none", ""],
  ["a result", { activity: { said: SAID } }, "good", "✓ Taken."],
  [
    "a refusal with its advice",
    { activity: { said: { ...SAID, ok: false, hint: "Wait." } } },
    "bad",
    "✗ Taken.\nWait.",
  ],
  [
    "news after a result",
    { activity: { said: SAID }, view: { news: "Given back." } },
    "news",
    "› Given back.",
  ],
  ["work under way", { activity: { doing: "Taking …", said: SAID } }, "busy", "Taking …"],
  ["a click that nobody heard yet", { pending: "Working …" }, "busy", "Working …"],
  [
    "a kernel that keeps it waiting",
    { pending: "Working …", note: "Waiting." },
    "busy",
    "Waiting.",
  ],
  ["a question", { asking: true, view: { button: { confirm: "Go on?" } } }, "ask", "Go on?"],
  ["an end that the grid's cover tells", { end: END, pending: "Working …" }, "bad", ""],
  [
    "an end without a grid",
    { end: END, hasGrid: false },
    "bad",
    "The kernel has ended.\nStart it.",
  ],
  ["another panel's news", { speaks: false, view: { news: "Given back." } }, "none", ""],
  [
    "a wrong range, told at its field",
    { activity: { said: { ...SAID, action: "range", ok: false } } },
    "none",
    "",
  ],
]) {
  test(`the status tells ${what}`, () => {
    assert.deepEqual(statusOf(shown(state)), { words, kind });
  });
}

test("a wrong range is told beside its field", () => {
  const said = { action: "range", ok: false, text: "The range is empty.", hint: "" };
  assert.equal(rangeErrorOf({ activity: { said } }), "✗ The range is empty.");
  assert.equal(rangeErrorOf({ activity: { said: SAID } }), "");
});

test("a question is answered by what the button says", () => {
  assert.equal(yes("Try to take over port 40000"), "Yes: try to take over port 40000");
});
