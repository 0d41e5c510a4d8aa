// How tall a grid is, whether a page is dark, and which panel of a page speaks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { heightOf } from "../../../dtale_magics/frontend/static/grid.js";
import { Panels } from "../../../dtale_magics/frontend/static/page.js";
import { themeOf } from "../../../dtale_magics/frontend/static/theme.js";

const frame = (rows) => ({ rows, height: "475px" });

test("a grid is as tall as its rows, up to its limit, unless a menu needs more", () => {
  assert.equal(heightOf(frame(4), 0, 0), "min(475px, 175px)");
  assert.equal(heightOf(frame(0), 0, 0), "min(475px, 150px)");
  assert.equal(heightOf(frame(1000), 0, 0), "min(475px, 25075px)");
  assert.equal(heightOf(frame(4), 0, 300), "min(475px, 300px)");
});

test("what the reader dragged it to holds", () => {
  assert.equal(heightOf(frame(4), 620, 300), "620px");
});

for (const [colour, theme] of [
  ["rgb(255, 255, 255)", "light"],
  ["rgb(17, 17, 17)", "dark"],
  ["rgba(17, 17, 17, 0.9)", "dark"],
  ["rgba(0, 0, 0, 0)", null],
  ["rgba(0, 0, 0, 0.5)", null],
  ["transparent", null],
]) {
  test(`${colour} is ${theme ?? "seen through"}`, () => assert.equal(themeOf(colour), theme));
}

test("the panel that was used last speaks, or else the newest", () => {
  const panels = Panels.of({});
  const drawn = [];
  const [first, second] = ["first", "second"].map((name) => ({ draw: () => drawn.push(name) }));
  panels.add(first);
  panels.add(second);
  assert.equal(panels.speaker, second);
  panels.use(first);
  assert.equal(panels.speaker, first);
  drawn.length = 0;
  panels.draw();
  assert.deepEqual(drawn.sort(), ["first", "second"]);
  panels.remove(first);
  assert.equal(panels.speaker, second);
  panels.remove(second);
  assert.equal(panels.speaker, null);
});
