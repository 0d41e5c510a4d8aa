import assert from "node:assert/strict";
import { test } from "node:test";

import {
  filtered,
  hashOf,
  hintFor,
  readView,
  sorted,
} from "../../../dtale_magics/page/static/view.js";

const NONE = { sort: [], filters: {} };

test("clicks on a column sort up, down and not at all", () => {
  const up = sorted(NONE, "a", false);
  assert.deepEqual(up.sort, [["a", true]]);
  const down = sorted(up, "a", false);
  assert.deepEqual(down.sort, [["a", false]]);
  assert.deepEqual(sorted(down, "a", false), NONE);
  assert.deepEqual(sorted(up, "b", false).sort, [["b", true]]);
  assert.deepEqual(sorted(up, "b", true).sort, [
    ["a", true],
    ["b", true],
  ]);
});

test("a filter that is emptied is gone", () => {
  const one = filtered(NONE, "a", " > 5 ");
  assert.deepEqual(one.filters, { a: "> 5" });
  assert.deepEqual(filtered(one, "a", " "), NONE);
});

test("a view is the same again from its address, and nonsense is none", () => {
  const view = { sort: [["a b", false]], filters: { "#%ü": 'x"/?' } };
  assert.deepEqual(readView(hashOf(view)), view);
  assert.equal(hashOf(NONE), "");
  for (const hash of ["", "#", "#%", "#{}", "#null", "#7"]) assert.deepEqual(readView(hash), NONE);
});

test("a column's hint fits its kind", () => {
  assert.equal(hintFor("int64"), "> 5, 1..5");
  assert.equal(hintFor("UInt8"), "> 5, 1..5");
  assert.match(hintFor("datetime64[us]"), /2024-03/);
  assert.equal(hintFor("str"), "filter");
});
