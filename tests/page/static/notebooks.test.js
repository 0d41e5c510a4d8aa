import assert from "node:assert/strict";
import { test } from "node:test";

import {
  address,
  choose,
  gridUrl,
  read,
  remember,
} from "../../../dtale_magics/page/static/notebooks.js";

function notebook(label, more = {}) {
  const frames = [{ id: "1", name: "df", rows: 3, columns: 2, shown: 1 }];
  const owner = `${label}0`;
  return { owner, label, slug: `${label}-1`, front: false, responding: true, frames, ...more };
}

const names = (found) => found.map(({ label, ended }) => `${label}${ended ? " ended" : ""}`);

test("a notebook that is gone stays as ended until there is a new one of its name", () => {
  let known = remember([], [notebook("a"), notebook("b")]);
  known = remember(known, [notebook("a")]);
  assert.deepEqual(names(known), ["a", "b ended"]);
  assert.equal(remember(known, [])[0].front, false);
  known = remember(known, [notebook("a"), notebook("b", { owner: "new", frames: [] })]);
  assert.deepEqual(names(known), ["a", "b"]);
});

test("of two of a name, the one that goes has ended and the other has not", () => {
  const two = [notebook("a"), notebook("a", { owner: "other" })];
  const known = remember(remember([], two), two.slice(1));
  assert.deepEqual(names(known), ["a", "a ended"]);
});

test("one without frames leaves nothing behind, and many do not pile up", () => {
  assert.deepEqual(remember(remember([], [notebook("a", { frames: [] })]), []), []);
  let known = [];
  for (let number = 0; number < 50; number += 1) known = remember(known, [notebook(`n${number}`)]);
  assert.equal(known.length, 21);
});

test("a silent notebook keeps what it has shown", () => {
  const known = remember([], [notebook("a")]);
  const silent = { owner: "a0", label: "process 7", slug: null, responding: false, frames: [] };
  const [now] = remember(known, [{ ...silent, front: true }]);
  assert.equal(now.label, "a");
  assert.equal(now.slug, "a-1");
  assert.equal(now.frames.length, 1);
  assert.ok(now.front);
  assert.match(choose([now], null).note, /does not respond/);
});

test("the page follows who is in front, and the frame that was shown last there", () => {
  const frames = [
    { id: "1", name: "df", rows: 1, columns: 1, shown: 9 },
    { id: "2", name: "other", rows: 1, columns: 1, shown: 3 },
  ];
  const all = [notebook("a"), notebook("b", { front: true, frames })];
  const found = choose(all, null);
  assert.ok(found.follows);
  assert.deepEqual([found.notebook.label, found.frame.name, found.note], ["b", "df", ""]);
  assert.match(choose([notebook("a")], null).note, /No notebook is in front/);
  assert.match(choose([notebook("a", { front: true, frames: [] })], null).note, /%dtale df/);
});

test("an address means the same frame, whatever is in its names, also after a restart", () => {
  for (const [label, name] of [
    ["train.ipynb", "df"],
    ["a/b ~ü.ipynb", 'd["x/y"] (2)'],
    ["#?%@x", "~"],
  ]) {
    const frames = [{ id: "1", name, rows: 1, columns: 1, shown: 1 }];
    const one = notebook(label, { frames });
    const hash = new URL(address([one], one, frames[0]), "http://x/").hash;
    const again = { ...one, owner: "another", slug: "another" };
    const found = choose([again], read(hash));
    assert.deepEqual([found.notebook, found.frame, found.follows], [again, frames[0], false]);
  }
});

test("of two notebooks of a name, the address tells which", () => {
  const [one, two] = [notebook("a", { owner: "aaaaaaaa" }), notebook("a", { owner: "bbbbbbbb" })];
  const wanted = read(address([one, two], two, two.frames[0]));
  assert.equal(choose([one, two], wanted).notebook, two);
  assert.equal(choose([one], wanted).notebook, one);
});

test("what is not there is said, and no other frame is shown in its place", () => {
  const one = notebook("a");
  const gone = choose([one], { label: "a", owner: "", frame: "gone" });
  assert.equal(gone.frame, undefined);
  assert.match(gone.note, /shows no gone now/);
  const nobody = choose([one], { label: "b", owner: "", frame: "df" });
  assert.equal(nobody.notebook, undefined);
  assert.match(nobody.note, /b has no kernel here now/);
  const [ended] = remember([one], []);
  assert.match(choose([ended], { label: "a", owner: "", frame: "df" }).note, /has ended/);
});

test("an address that is none follows", () => {
  for (const hash of ["", "#", "#x", "#/x", "#a/b/c", "#%/x", "#a@zz/b"])
    assert.equal(read(hash), null);
});

test("a grid comes from its notebook's own address", () => {
  const one = notebook("a");
  assert.equal(gridUrl("../", one, one.frames[0], "dark"), "../a-1/dtale/main/1?page-theme=dark");
  assert.equal(gridUrl("../", { ...one, slug: null }, one.frames[0], "dark"), "");
  assert.equal(gridUrl("../", one, undefined, "dark"), "");
});
