// The ways from this page to the kernel's server, and what is found there.

import { pause } from "./elements.js";

const HEADER = "X-Dtale-Magics";
const PROBE_MS = 2500;
const GRACE_MS = 250;
const RETRY_MS = 2000;
const LONGEST_RETRY_MS = 60000;
const MOST_OWNERS = 64;
const CAUSES = {
  401: "sign-in",
  403: "sign-in",
  404: "no-route",
  502: "bad-gateway",
  503: "unavailable",
  504: "gateway-timeout",
};
const WRONG = new Set(["another-notebook", "other-dtale", "wrong-prefix", "no-route"]);

/**
 * The ways from this page to the kernel's server, best first, and what is found there; one for all
 * panels of a page. What is found is told to the kernel, which names the layer that is broken.
 */
export class Reach {
  static of(hub) {
    const key = Symbol.for("dtale_magics.reach"); // every widget has its own copy of this module
    hub[key] ??= new Reach(hub);
    return hub[key];
  }

  constructor(hub) {
    this._hub = hub;
    this._watchers = new Set();
    this._turn = 0;
    this._wait = RETRY_MS;
    this.best = null;
    this.tried = false;
    this.reached = false; // ever
    this._late = 0; // searches in which the best way did not answer in time
    this.asked = 0; // when, on the page's clock
    this._ways = [];
    this._line = null;
    let about = "";
    const moved = () => {
      const { round, asked, slug } = hub.get("links");
      if (about === `${round} ${asked} ${slug}`) return; // a name has changed, and no way
      about = `${round} ${asked} ${slug}`;
      this.again();
    };
    hub.on("change:links", moved);
    moved();
  }

  /** Have `callback` called whenever more is known; returns how to end that. */
  watch(callback) {
    this._watchers.add(callback);
    return () => {
      this._watchers.delete(callback);
      if (!this._watchers.size) clearTimeout(this._timer);
    };
  }

  /** Ask everywhere once more. */
  again() {
    clearTimeout(this._timer);
    this.asked = performance.now();
    this._turn += 1;
    this._search = this._find(this._turn);
  }

  /** The best way that was confirmed, or null; waits for a search that is under way. */
  async find() {
    let search;
    do {
      search = this._search;
      await search;
    } while (search !== this._search);
    return this.best;
  }

  /** Where it most probably is, for a link: with luck the reader sees there what is the matter. */
  likely() {
    const { ports } = this._hub.get("links");
    const own = this._ways.filter((way) => ports.includes(way.port) && !WRONG.has(way.found?.cause));
    return this.best ?? own[0] ?? null;
  }

  /** Ask the kernel's server for an action; null where it is not reached: there is the comm. */
  async call(action, milliseconds, options = {}, way = this._line) {
    if (!way) return null;
    const { slug, owner } = this._hub.get("links");
    try {
      const answer = await fetch(`${way.url}/${slug}/_magics/${action}`, {
        ...options,
        cache: "no-store",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", ...options.headers, [HEADER]: ancestors() },
        signal: AbortSignal.timeout(milliseconds),
      });
      const data = await answer.json();
      return answer.ok && data.owner === owner ? data : null;
    } catch {
      return null;
    }
  }

  async _find(turn) {
    const links = this._hub.get("links");
    const ways = [...(await colabWays(links)), ...waysOf(links)];
    if (turn !== this._turn) return;
    const probes = ways.map(async (way) => {
      way.found = await probe(way, links);
    });
    const first = Promise.any(
      probes.map(async (asked, index) => {
        await asked;
        if (!ours(ways[index])) throw new Error("not ours");
      }),
    );
    // A slow or dead URL keeps nobody waiting, but a better one gets a moment.
    const all = Promise.all(probes);
    await Promise.race([all, first.then(() => pause(GRACE_MS), () => all)]);
    const early = ways.filter((way) => way.found).length;
    await this._settle(turn, links, ways);
    if (early < ways.length) all.then(() => this._settle(turn, links, ways));
    all.then(() => this._retry(turn));
  }

  async _settle(turn, links, ways) {
    const best = this._judged(ways);
    // The first way on which calls work may be another one: an ingress can keep them out.
    const line = await this._tell(links, ways);
    if (turn !== this._turn) return;
    this._ways = ways;
    // An answer that came too late is no reason to give up a way that is known to work.
    this._line = line ?? ways.find((way) => !refuses(way) && way.url === this._line?.url) ?? null;
    this.best = best;
    this.tried = true;
    this.reached ||= Boolean(best);
    for (const watcher of [...this._watchers]) watcher();
  }

  /** The best way of a search: under load, one that worked is not given up for one late answer. */
  _judged(ways) {
    const found = ways.find(ours) ?? null;
    const former = ways.find((way) => way.url === this.best?.url);
    if (!former || (found && ways.indexOf(found) < ways.indexOf(former))) return found;
    if (!former.found) return former;
    this._late = former.found.cause === "timed-out" ? this._late + 1 : 0;
    return this._late === 1 ? former : found;
  }

  async _tell({ round }, ways) {
    const found = ways
      .filter((way) => way.found)
      .map(({ base, port, found }) => ({ base, port, ...found }));
    const text = JSON.stringify({ round, origin: location.origin, found });
    for (const way of ways.filter(ours)) {
      if (await this.call("told", PROBE_MS, { method: "POST", body: text }, way)) return way;
    }
    if (found.length && this._hub.comm_live !== false) this._hub.send({ type: "told", text });
    return null;
  }

  /** Look again later while the best of the ways is not what it should be. */
  _retry(turn) {
    if (turn !== this._turn || !this._watchers.size) return;
    const { ports } = this._hub.get("links");
    const lacking = this._ways.some(
      (way) => way.source === "ingress" && ports.includes(way.port) && !ours(way),
    );
    if (!ports.length || (this.best && !lacking && !this._late)) {
      this._wait = RETRY_MS;
      return;
    }
    this._timer = setTimeout(() => {
      if (!document.hidden) this.again();
    }, this._wait);
    this._wait = Math.min(2 * this._wait, LONGEST_RETRY_MS);
  }
}

const ours = (way) => way.found?.cause === "ours";

/** Whether a way has answered, and not as this kernel does. */
const refuses = (way) => way.found && !["ours", "timed-out"].includes(way.found.cause);

const isLoopback = (name) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(name);

/** The pages that this one is in: D-Tale lets only those show its grid that it knows. */
function ancestors() {
  return [...(location.ancestorOrigins ?? [])].join(" ").slice(0, 1000) || "1";
}

/** Colab shows a port of its machine by a URL of its own, which only its pages know. */
async function colabWays({ ports }) {
  const proxy = globalThis.google?.colab?.kernel?.proxyPort;
  if (!proxy) return [];
  const found = ports.map(async (port) => {
    const url = String(await proxy(port, { cache: true })).replace(/\/+$/, "");
    return { source: "page", base: url, url, port };
  });
  return (await Promise.allSettled(found)).flatMap(({ value }) => value ?? []);
}

/** The URLs that may lead from this page to the kernel, best first. */
function waysOf({ ways, ports }) {
  const here = location.origin;
  const known = ways.map((way) => ({
    ...way,
    url: way.base.startsWith("/") ? here + way.base : way.base,
  }));
  const isPage = location.protocol.startsWith("http");
  const proxied = ports
    .map((port) => `${here}${baseUrl()}proxy/${port}`)
    .map((url, index) => ({ source: "page", base: url, url, port: ports[index] }))
    .filter(({ url }) => isPage && known.every((way) => way.url !== url));
  // 127.0.0.1 is the reader's own computer: only a page from there may ask it, and VS Code, which
  // forwards the ports of a machine far away. A page that came by https may not ask a pod's address.
  const local = isLoopback(location.hostname) || location.protocol === "vscode-webview:";
  const wanted = known.filter(
    ({ source }) =>
      (source !== "loopback" || local) && (source !== "pod" || location.protocol === "http:"),
  );
  const isIngress = ({ source }) => source === "ingress";
  return [...wanted.filter(isIngress), ...proxied, ...wanted.filter((way) => !isIngress(way))];
}

/** Ask whose D-Tale is at a URL: a cause of `dtale_magics.finding`, with what belongs to it. */
async function probe({ url }, { owner, others }) {
  const { hostname, protocol } = new URL(url);
  if (location.protocol === "https:" && protocol === "http:" && !isLoopback(hostname)) {
    return { cause: "mixed-content" };
  }
  const who = `${url}/_magics/who/${[owner, ...Object.keys(others)].slice(0, MOST_OWNERS).join(".")}`;
  const signal = AbortSignal.timeout(PROBE_MS);
  const options = { cache: "no-store", credentials: "include", signal };
  const started = performance.now();
  try {
    const answer = await fetch(who, { ...options, redirect: "manual" });
    const text = answer.type === "opaqueredirect" ? "" : await answer.text();
    return judge(answer, text, url, owner, others, performance.now() - started);
  } catch {
    if (signal.aborted) return { cause: "timed-out" };
  }
  try {
    await fetch(who, { ...options, mode: "no-cors" });
    return { cause: "answers" }; // whose answers a page may read are ours only
  } catch {
    return { cause: signal.aborted ? "timed-out" : "no-connection" };
  }
}

function judge(answer, text, url, owner, others, milliseconds) {
  const { status } = answer;
  const said = status === 200 ? identity(text) : null;
  if (said && said.owner !== owner) {
    const label = others[said.owner];
    return label ? { cause: "another-notebook", label } : { cause: "other-dtale" };
  }
  if (said) {
    const asked = new URL(url).pathname.replace(/\/$/, "");
    const seen = `${said.prefix}${said.unknown}`;
    if (said.unknown || seen !== asked) return { cause: "wrong-prefix", asked, seen };
    return { cause: "ours", milliseconds: Math.round(milliseconds) };
  }
  if (answer.type === "opaqueredirect" || /type=["']?password/i.test(text)) return { cause: "sign-in" };
  const cause = CAUSES[status];
  return cause ? { cause } : { cause: "something-else", status };
}

function identity(text) {
  try {
    const said = JSON.parse(text);
    return said?.protocol === 1 && said.owner ? said : null;
  } catch {
    return null;
  }
}

/** Path of the Jupyter server that this page came from. */
function baseUrl() {
  const config = document.getElementById("jupyter-config-data");
  try {
    const path = JSON.parse(config.textContent).baseUrl;
    return path.endsWith("/") ? path : `${path}/`;
  } catch {
    return document.body.dataset.baseUrl || "/";
  }
}
