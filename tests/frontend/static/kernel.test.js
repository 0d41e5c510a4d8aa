// Whether the kernel lives, by what JupyterLab tells of it and by what its own server answers.

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { Life } from "../../../dtale_magics/frontend/static/kernel.js";
import { bePage, makeHub } from "./page_stub.js";

class Signal {
  slots = new Set();
  connect(slot) {
    this.slots.add(slot);
  }
  disconnect(slot) {
    this.slots.delete(slot);
  }
  emit(value) {
    for (const slot of [...this.slots]) slot(null, value);
  }
}

function makeSession() {
  const kernel = { id: "k1", status: "idle", isDisposed: false, connectionStatus: "connected" };
  return {
    session: { kernel },
    isRestarting: false,
    statusChanged: new Signal(),
    connectionStatusChanged: new Signal(),
    kernelChanged: new Signal(),
  };
}

const reached = () => ({
  reached: true,
  best: { url: "http://x" },
  tried: true,
  watch: () => () => {},
  again() {},
  async find() {},
  async call() {
    return null;
  },
});

let ends = [];
afterEach(() => {
  for (const end of ends) end();
  ends = [];
  mock.timers.reset();
});

function lifeOf({ session = null, reach = reached(), live } = {}) {
  bePage();
  globalThis.document.hasFocus = () => true;
  const hub = makeHub({ links: { ports: [40001] } });
  hub.comm_live = live;
  if (session) hub.widget_manager = { context: { sessionContext: session, path: "a.ipynb" } };
  const life = Life.of(hub, reach);
  ends.push(life.watch(() => {}));
  return { life, hub, reach };
}

for (const [what, change, brief] of [
  ["restarting", (session) => session.statusChanged.emit("restarting"), "the kernel was restarted"],
  [
    "autorestarting",
    (session) => session.statusChanged.emit("autorestarting"),
    "the kernel was restarted",
  ],
  ["dead", (session) => session.statusChanged.emit("dead"), "the kernel has ended"],
  [
    "no kernel any more",
    (session) => {
      session.session = null;
      session.kernelChanged.emit({});
    },
    "the kernel has ended",
  ],
  [
    "another kernel",
    (session) => {
      session.session.kernel = { ...session.session.kernel, id: "k2" };
      session.kernelChanged.emit({});
    },
    "another kernel",
  ],
]) {
  test(`Jupyter says: ${what}`, () => {
    const session = makeSession();
    const { life } = lifeOf({ session });
    assert.equal(life.end, null);
    change(session);
    assert.equal(life.end.brief, brief);
    session.statusChanged.emit("idle"); // of the one that came after it
    assert.equal(life.end.brief, brief);
  });
}

test("a busy kernel lives", () => {
  const session = makeSession();
  const { life } = lifeOf({ session });
  for (const status of ["busy", "idle", "unknown"]) session.statusChanged.emit(status);
  assert.ok(life.alive);
});

test("without Jupyter's word, a kernel that nothing leads to is lost, and comes back", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const reach = reached();
  const { life } = lifeOf({ reach });
  reach.find = async () => {
    reach.best = null;
  };
  mock.timers.tick(4000);
  await new Promise(setImmediate);
  assert.equal(life.end.brief, "out of reach");
  reach.find = async () => {
    reach.best = { url: "http://x" };
  };
  mock.timers.tick(4000);
  await new Promise(setImmediate);
  assert.equal(life.end, null);
});

test("a page whose kernel Jupyter knows sends no requests that would keep its server awake", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const reach = reached();
  let calls = 0;
  reach.call = async () => {
    calls += 1;
    return {};
  };
  lifeOf({ session: makeSession(), reach });
  mock.timers.tick(60_000);
  assert.equal(calls, 0);
});

test("a page that nobody looks at does not ask", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  const reach = reached();
  let calls = 0;
  reach.call = async () => {
    calls += 1;
    return {};
  };
  lifeOf({ reach });
  globalThis.document.hidden = true;
  mock.timers.tick(60_000);
  assert.equal(calls, 0);
});

test("a comm that has closed is a kernel that was restarted", () => {
  const { life, hub } = lifeOf({ live: true });
  hub.comm_live = false;
  life._judge();
  assert.equal(life.end.brief, "the kernel was restarted");
});
