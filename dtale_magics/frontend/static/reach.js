// The best of the ways from this page to the kernel's server that works.

import { pause } from "./elements.js";
import { shared } from "./page.js";
import { PROBE_MS, probe } from "./probe.js";
import { ancestors, colabWays, waysOf } from "./ways.js";

/** @import { Hub, Links, View, Way } from "./types.d.ts" */

const HEADER = "X-Dtale-Magics";
const GRACE_MS = 250;
const RETRY_MS = 2000;
const MAX_RETRY_MS = 60000;

/**
 * The ways from this page to the kernel's server, best first, and what is found there; shared by all
 * panels of a page. The kernel is told what was found, and names the layer that is broken.
 */
export class Reach {
  /** @param {Hub} hub */
  static of(hub) {
    return shared(hub, "reach", () => new Reach(hub));
  }

  /** @param {Hub} hub */
  constructor(hub) {
    this._hub = hub;
    /** @type {Set<() => void>} */
    this._watchers = new Set();
    this._turn = 0;
    this._wait = RETRY_MS;
    /** @type {Promise<void>} */
    this._search = Promise.resolve();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    /** @type {Way | null} */
    this.best = null;
    this.tried = false;
    this.reached = false; // ever
    this._late = 0; // searches in which the best way did not answer in time
    this.asked = 0; // when it last asked, on the page's clock
    /** @type {Way[]} */
    this._ways = [];
    /**
     * The way on which the kernel's server is called.
     * @type {Way | null}
     */
    this._line = null;
    let about = "";
    const moved = () => {
      const { round, asked, slug } = hub.get("links");
      if (about === `${round} ${asked} ${slug}`) return; // only a name has changed
      about = `${round} ${asked} ${slug}`;
      this.again();
    };
    hub.on("change:links", moved);
    moved();
  }

  /**
   * Have `callback` called whenever more is known; returns how to stop that.
   * @param {() => void} callback
   */
  watch(callback) {
    this._watchers.add(callback);
    return () => {
      this._watchers.delete(callback);
      if (!this._watchers.size) clearTimeout(this._timer);
    };
  }

  /** Ask everywhere again. */
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

  /** Where it most likely is, for a link: there the reader may see what is wrong. */
  likely() {
    const { ports, elsewhere } = this._hub.get("links");
    const own = this._ways.filter(
      (way) => ports.includes(way.port) && !elsewhere.includes(way.found?.cause ?? ""),
    );
    return this.best ?? own[0] ?? null;
  }

  /**
   * Ask the kernel's server for an action; null if it cannot be reached; then there is the comm.
   * @param {string} action
   * @param {number} milliseconds
   * @param {RequestInit} options
   * @returns {Promise<View | null>}
   */
  async call(action, milliseconds, options = {}, way = this._line) {
    if (!way) return null;
    const { slug, owner } = this._hub.get("links");
    try {
      const answer = await fetch(`${way.url}/${slug}/_magics/${action}`, {
        ...options,
        cache: "no-store",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", [HEADER]: ancestors() },
        signal: AbortSignal.timeout(milliseconds),
      });
      const data = await answer.json();
      return answer.ok && data.owner === owner ? data : null;
    } catch {
      return null;
    }
  }

  /** @param {number} turn */
  async _find(turn) {
    const links = this._hub.get("links");
    const ways = [...(await colabWays(links)), ...waysOf(links)];
    if (turn !== this._turn) return;
    const probes = ways.map(async (way) => {
      way.found = await probe(way, links);
      if (!ours(way)) throw new Error("not ours");
    });
    // A slow or dead URL must not keep anybody waiting, but a better one gets a moment.
    const all = Promise.allSettled(probes);
    const first = Promise.any(probes).then(
      () => pause(GRACE_MS),
      () => all,
    );
    await Promise.race([all, first]);
    const early = ways.filter((way) => way.found).length;
    await this._settle(turn, links, ways);
    if (early < ways.length) all.then(() => this._settle(turn, links, ways));
    all.then(() => this._retry(turn));
  }

  /**
   * @param {number} turn
   * @param {Links} links
   * @param {Way[]} ways
   */
  async _settle(turn, links, ways) {
    const best = this._judged(ways);
    // Calls may work only on a later way: an ingress can block them.
    const line = await this._tell(links, ways);
    if (turn !== this._turn) return;
    this._ways = ways;
    // One late answer is no reason to give up a way that is known to work.
    this._line = line ?? ways.find((way) => !refuses(way) && way.url === this._line?.url) ?? null;
    this.best = best;
    this.tried = true;
    this.reached ||= Boolean(best);
    for (const watcher of [...this._watchers]) watcher();
  }

  /**
   * The best way of a search; under load, one late answer does not discard a way that worked.
   * @param {Way[]} ways
   */
  _judged(ways) {
    const found = ways.find(ours) ?? null;
    const former = ways.find((way) => way.url === this.best?.url);
    if (!former || (found && ways.indexOf(found) < ways.indexOf(former))) return found;
    if (!former.found) return former;
    this._late = former.found.cause === "timed-out" ? this._late + 1 : 0;
    return this._late === 1 ? former : found;
  }

  /**
   * Tell the kernel what was found; returns the way that this took, or null.
   * @param {Links} links
   * @param {Way[]} ways
   */
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

  /**
   * Look again later, as long as the best of the ways does not work.
   * @param {number} turn
   */
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
    this._wait = Math.min(2 * this._wait, MAX_RETRY_MS);
  }
}

/** @param {Way} way */
const ours = (way) => way.found?.cause === "ours";

/**
 * Whether something other than this kernel has answered there.
 * @param {Way} way
 */
const refuses = (way) => way.found && !["ours", "timed-out"].includes(way.found.cause);
