// Which way is taken, with real servers and real time.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Reach } from "../../../dtale_magics/frontend/static/reach.js";
import { bePage, makeHub, serve } from "./page_stub.js";

const OURS = JSON.stringify({ protocol: 1, owner: "me", prefix: "", unknown: "" });
const never = () => new Promise(() => {});
let servers = [];

afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
});

/** A kernel's server: says whose it is, and takes what it is told. */
async function kernelServer(whose = () => [200, OURS], told = []) {
  const server = await serve((path) => {
    if (path.startsWith("/_magics/who/")) return whose();
    told.push(path);
    return [200, JSON.stringify({ owner: "me", revision: 1 })];
  });
  servers.push(server);
  return server;
}

function links(ingress, direct, round = 1) {
  const ways = [
    { source: "ingress", base: ingress.url, port: 40000 },
    { source: "loopback", base: direct.url, port: 40000 },
  ];
  const statuses = { 404: "no-route", 503: "unavailable" };
  const table = { max_owners: 64, protocol: 1, statuses, elsewhere: ["no-route"] };
  return { slug: "me-1", owner: "me", others: {}, round, asked: 0, ports: [40000], ways, ...table };
}

async function reachOf(ingress, direct) {
  bePage("http://localhost:1/lab"); // nothing is proxied there
  const hub = makeHub({ links: links(ingress, direct) });
  const reach = Reach.of(hub);
  await reach.find();
  return { hub, reach };
}

test("the best way that is ours wins, and the kernel is told by it", async () => {
  const told = [];
  const ingress = await kernelServer(undefined, told);
  const { hub, reach } = await reachOf(ingress, await kernelServer());
  assert.equal(reach.best.source, "ingress");
  assert.ok(reach.tried && reach.reached);
  assert.ok(told.includes("/me-1/_magics/told"));
  assert.deepEqual(hub.sent, []);
  assert.equal(Reach.of(hub), reach); // one for all panels of a page
});

test("a way that leads to somebody else is not taken, and the grid comes by the next", async () => {
  const ingress = await kernelServer(() => [404, ""]);
  const { reach } = await reachOf(ingress, await kernelServer());
  assert.equal(reach.best.source, "loopback");
});

test("a way that keeps silent keeps nobody waiting", async () => {
  const ingress = await kernelServer(never);
  const { reach } = await reachOf(ingress, await kernelServer());
  assert.equal(reach.best.source, "loopback");
  assert.ok(reach._ways.some(({ found }) => !found)); // it is still asked
});

test("where nothing leads here the kernel hears of it by the comm, and a link is still offered", async () => {
  const ingress = await kernelServer(() => [503, ""]);
  const { hub, reach } = await reachOf(ingress, await kernelServer(() => [404, ""]));
  assert.equal(reach.best, null);
  assert.ok(reach.tried && !reach.reached);
  assert.equal(hub.sent[0].type, "told");
  const found = JSON.parse(hub.sent[0].text).found.map(({ cause }) => cause);
  assert.deepEqual(found, ["unavailable", "no-connection", "no-route"]);
  assert.equal(reach.likely().source, "ingress"); // it may come; the other one is wrong
  assert.equal(await reach.call("state", 1000), null);
});

test("one late answer is no reason to give up a way that works; two are", async () => {
  let answer = () => [200, OURS];
  const ingress = await kernelServer(() => answer());
  const { reach } = await reachOf(ingress, await kernelServer());
  assert.equal(reach.best.source, "ingress");
  answer = never;
  const searched = async () => {
    reach.again();
    const settled = new Promise((resolve) => {
      let turns = 0;
      const end = reach.watch(() => {
        turns += 1; // once in time, and once when the last answer has come, or not
        if (turns === 2) resolve(end());
      });
    });
    await settled;
    return reach.best.source;
  };
  assert.equal(await searched(), "ingress");
  assert.equal(await searched(), "loopback");
});

test("a refusal is believed at once", async () => {
  let answer = [200, OURS];
  const ingress = await kernelServer(() => answer);
  const { reach } = await reachOf(ingress, await kernelServer());
  answer = [502, ""];
  reach.again();
  await reach.find();
  assert.equal(reach.best.source, "loopback");
});

test("a new round is searched anew, and a new name alone is not", async () => {
  const asked = [];
  const count = () => {
    asked.push(1);
    return [200, OURS];
  };
  const server = await kernelServer(count);
  const { hub, reach } = await reachOf(server, server);
  const before = asked.length;
  hub.set("links", { ...hub.get("links"), others: { you: "fit.ipynb" } });
  await reach.find();
  assert.equal(asked.length, before);
  hub.set("links", { ...hub.get("links"), round: 2 });
  await reach.find();
  assert.ok(asked.length > before);
});

test("while the ingress fails it is asked again after some seconds, as long as somebody looks", async () => {
  let answer = [502, ""];
  const ingress = await kernelServer(() => answer);
  const { reach } = await reachOf(ingress, await kernelServer());
  assert.equal(reach.best.source, "loopback");
  let end = () => {};
  const changed = new Promise((resolve) => {
    end = reach.watch(() => reach.best.source === "ingress" && resolve(true));
  });
  reach.again();
  await reach.find();
  answer = [200, OURS];
  assert.ok(await changed);
  end();
});
