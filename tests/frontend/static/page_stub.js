// As much of a page as what decides needs to know.

import { createServer } from "node:http";

/** Be a page that came from `url`; returns what the page has stored. */
export function bePage(url = "http://localhost:8888/lab") {
  const stored = new Map();
  globalThis.location = new URL(url);
  globalThis.document = {
    hidden: false,
    body: { dataset: {} },
    getElementById: () => null,
  };
  globalThis.localStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value),
  };
  return stored;
}

/** Serve at a port of its own: `answer` gets a path, and returns status and text, or a promise. */
export async function serve(answer) {
  const server = createServer(async (request, response) => {
    const [status, text] = await answer(request.url, request.method);
    response.writeHead(status, { Connection: "close" });
    response.end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return { port, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** A widget model with `values`, as far as the panel uses it. */
export function makeHub(values) {
  const listeners = new Map();
  return {
    sent: [],
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      for (const callback of listeners.get(`change:${name}`) ?? []) callback();
    },
    on(event, callback) {
      listeners.set(event, [...(listeners.get(event) ?? []), callback]);
    },
    off(event, callback) {
      listeners.set(
        event,
        (listeners.get(event) ?? []).filter((one) => one !== callback),
      );
    },
    send(content) {
      this.sent.push(content);
    },
  };
}
