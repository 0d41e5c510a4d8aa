import assert from "node:assert/strict";
import { test } from "node:test";

import { Folding } from "../../../dtale_magics/frontend/static/folding.js";
import { bePage } from "./page_stub.js";

test("a panel above a grid is one line, one alone is unfolded", () => {
  bePage();
  assert.equal(new Folding("frame", { folded: "" }).isUnfolded(""), false);
  assert.equal(new Folding("state", { folded: "" }).isUnfolded(""), true);
});

test("what the reader chose holds for panels of the same kind to come", () => {
  bePage();
  const first = new Folding("frame", { folded: "" });
  first.toggle("", "");
  assert.equal(first.isUnfolded(""), true);
  assert.equal(new Folding("frame", { folded: "" }).isUnfolded(""), true);
  assert.equal(new Folding("state", { folded: "" }).isUnfolded(""), true);
  first.toggle("", "");
  assert.equal(new Folding("frame", { folded: "" }).isUnfolded(""), false);
});

test("a concern unfolds it; folded away, it stays so until there is another one", () => {
  const stored = bePage();
  const seen = { folded: "" };
  const folding = new Folding("frame", seen);
  assert.equal(folding.isUnfolded("not reached"), true);
  folding.toggle("not reached", "not reached");
  assert.equal(folding.isUnfolded("not reached"), false);
  assert.equal(new Folding("frame", seen).isUnfolded("not reached"), false);
  assert.equal(folding.isUnfolded("open access"), true);
  assert.equal(stored.size, 0); // it says nothing of other days
});

test("a browser that keeps nothing does not matter", () => {
  bePage();
  const refuse = () => {
    throw new Error("denied");
  };
  globalThis.localStorage = { getItem: refuse, setItem: refuse };
  const folding = new Folding("frame", { folded: "" });
  folding.toggle("", "");
  assert.equal(folding.isUnfolded(""), true);
});
