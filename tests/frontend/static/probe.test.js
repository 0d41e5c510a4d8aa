import assert from "node:assert/strict";
import { test } from "node:test";

import { judge, probe } from "../../../dtale_magics/frontend/static/probe.js";
import { bePage, serve } from "./page_stub.js";

// As the kernel tells it, from its table of causes.
const STATUSES = {
  401: "sign-in",
  403: "sign-in",
  404: "no-route",
  502: "bad-gateway",
  503: "unavailable",
  504: "gateway-timeout",
};
const NAMES = {
  owner: "me",
  others: { you: "train.ipynb" },
  max_owners: 64,
  protocol: 1,
  statuses: STATUSES,
};
const URL_ASKED = "http://hub/user/ada/proxy/40001";
const said = (owner, prefix = "/user/ada/proxy/40001", unknown = "") =>
  JSON.stringify({ protocol: 1, owner, prefix, unknown });

for (const [what, status, text, cause] of [
  ["this kernel", 200, said("me"), "ours"],
  ["a sibling", 200, said("you"), "another-notebook"],
  ["somebody else's D-Tale", 200, said("stranger"), "other-dtale"],
  ["a proxy that cuts too little off", 200, said("me", "", "/proxy/40001"), "wrong-prefix"],
  ["a proxy that cuts too much off", 200, said("me", "/proxy/40001"), "wrong-prefix"],
  ["a page to sign in, of status 200", 200, '<input type="password">', "sign-in"],
  ["some page", 200, "<h1>It works!</h1>", "something-else"],
  ["an older protocol", 200, '{"protocol": 0, "owner": "me"}', "something-else"],
  ["JSON that is none", 200, "null", "something-else"],
  ["401", 401, "", "sign-in"],
  ["403", 403, "", "sign-in"],
  ["404", 404, "", "no-route"],
  ["502", 502, "", "bad-gateway"],
  ["503", 503, "", "unavailable"],
  ["504", 504, "", "gateway-timeout"],
  ["500, even with our words", 500, said("me"), "something-else"],
]) {
  test(`${what} is ${cause}`, () => {
    assert.equal(judge({ status, type: "cors" }, text, URL_ASKED, NAMES, 1).cause, cause);
  });
}

test("a redirect is a sign-in, and a sibling has its name", () => {
  const redirect = judge({ status: 0, type: "opaqueredirect" }, "", URL_ASKED, NAMES, 1);
  assert.deepEqual(redirect, { cause: "sign-in" });
  const sibling = judge({ status: 200, type: "cors" }, said("you"), URL_ASKED, NAMES, 1);
  assert.equal(sibling.label, "train.ipynb");
});

test("a server is asked for the ids, and nothing that does not answer is waited for", async () => {
  bePage();
  const asked = [];
  const server = await serve((path) => {
    asked.push(path);
    return [200, said("me", "")];
  });
  assert.equal((await probe(server, NAMES)).cause, "ours");
  assert.deepEqual(asked, ["/_magics/who/me.you"]);
  server.close();
  assert.equal((await probe(server, NAMES)).cause, "no-connection");
});

test("a server that keeps silent is timed out", async () => {
  bePage();
  const server = await serve(() => new Promise(() => {}));
  assert.equal((await probe(server, NAMES)).cause, "timed-out");
  server.close();
});

test("a page that came by https does not even ask what the browser would block", async () => {
  bePage("https://hub.example.org/lab");
  assert.equal((await probe({ url: "http://10.0.0.7:40001" }, NAMES)).cause, "mixed-content");
});
