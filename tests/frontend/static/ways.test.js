import assert from "node:assert/strict";
import { test } from "node:test";

import { ancestors, colabWays, waysOf } from "../../../dtale_magics/frontend/static/ways.js";
import { bePage } from "./page_stub.js";

const INGRESS = { source: "ingress", base: "https://ada.example.org/dtale", port: 40000 };
const SERVER = { source: "server", base: "/user/ada/proxy/40001", port: 40001 };
const POD = { source: "pod", base: "http://10.0.0.7:40001", port: 40001 };
const LOOPBACK = { source: "loopback", base: "http://127.0.0.1:40001", port: 40001 };
const ALL = { ways: [INGRESS, SERVER, POD, LOOPBACK], ports: [40001, 40000] };

const waysFrom = (url, links = ALL, base = "/user/ada/") =>
  waysOf(links, new URL(url), base).map((way) => [way.source, way.url]);

test("the ingress is the best way, then the page's own server, then what needs no proxy", () => {
  assert.deepEqual(waysFrom("http://localhost:8888/lab"), [
    ["ingress", "https://ada.example.org/dtale"],
    ["page", "http://localhost:8888/user/ada/proxy/40000"],
    ["server", "http://localhost:8888/user/ada/proxy/40001"],
    ["pod", "http://10.0.0.7:40001"],
    ["loopback", "http://127.0.0.1:40001"],
  ]);
});

test("a page from elsewhere does not ask the reader's own computer", () => {
  const sources = waysFrom("http://hub.example.org/lab").map(([source]) => source);
  assert.ok(!sources.includes("loopback"));
  assert.ok(sources.includes("pod"));
});

test("a page that came by https does not ask a pod's address", () => {
  const sources = waysFrom("https://hub.example.org/lab").map(([source]) => source);
  assert.ok(!sources.includes("pod"));
});

for (const [url, isLocal] of [
  ["http://127.0.0.1:8888/", true],
  ["http://127.8.8.8:8888/", true],
  ["http://[::1]:8888/", true],
  ["http://localhost.example.org/", false],
  ["http://127.0.0.1.example.org/", false],
]) {
  test(`${url} is ${isLocal ? "" : "not "}this computer`, () => {
    const sources = waysFrom(url).map(([source]) => source);
    assert.equal(sources.includes("loopback"), isLocal);
  });
}

test("a page of VS Code has forwarded ports and no proxy of its own", () => {
  const page = { origin: "vscode-webview://abc", protocol: "vscode-webview:", hostname: "abc" };
  const ways = waysOf({ ways: [LOOPBACK], ports: [40001] }, page, "/");
  assert.deepEqual(
    ways.map(({ source }) => source),
    ["loopback"],
  );
});

test("without a port there is no way", () => {
  assert.deepEqual(waysFrom("http://localhost:8888/", { ways: [], ports: [] }), []);
});

test("Colab's own proxy is asked, and a port that it refuses is left out", async () => {
  globalThis.google = {
    colab: {
      kernel: {
        proxyPort: async (port) => {
          if (port === 1) throw new Error("refused");
          return `https://${port}-colab.example.org/`;
        },
      },
    },
  };
  const found = await colabWays({ ports: [40001, 1] });
  delete globalThis.google;
  assert.deepEqual(
    found.map(({ source, url, port }) => [source, url, port]),
    [["page", "https://40001-colab.example.org", 40001]],
  );
  assert.deepEqual(await colabWays({ ports: [40001] }), []);
});

test("the pages around this one are named, in a header that has an end", () => {
  bePage();
  assert.equal(ancestors(), "1");
  globalThis.location = { ancestorOrigins: ["https://a.example", "https://b.example"] };
  assert.equal(ancestors(), "https://a.example https://b.example");
  globalThis.location = { ancestorOrigins: Array(500).fill("https://a.example") };
  assert.equal(ancestors().length, 1000);
});
