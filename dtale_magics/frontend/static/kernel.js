// Whether this panel's kernel is still alive: what the notebook's page knows about it if it says so,
// and otherwise what the kernel's own server answers.

import { pause } from "./elements.js";
import { shared } from "./page.js";

/** @import { Reach } from "./reach.js" */
/** @import { End, Hub, Signal, View } from "./types.d.ts" */

const POLL_MS = 4000;
const ANSWER_MS = 1500;
const NAME_MS = 700;
const NAME_TRIES = 30;

const AGAIN = "un the notebook’s cells again, from %load_ext dtale_magics to this one.";
/** @type {Record<string, End>} */
const ENDS = {
  restarted: {
    brief: "the kernel was restarted",
    text: "The kernel was restarted, and D-Tale ended with it.",
    hint: `R${AGAIN}`,
  },
  changed: {
    brief: "another kernel",
    text: "This notebook has another kernel now; D-Tale ended with the former one.",
    hint: `R${AGAIN}`,
  },
  ended: {
    brief: "the kernel has ended",
    text: "The kernel has ended, and D-Tale with it.",
    hint: `Start it again (Kernel ▸ Restart Kernel), then r${AGAIN}`,
  },
  lost: {
    brief: "out of reach",
    text: "This page reaches neither the notebook’s kernel nor D-Tale.",
    hint: `Is the Jupyter server up, and the network? When they are back, so is the grid; after a restart, r${AGAIN}`,
  },
};

/** Shared by all panels of a page that show the same kernel. */
export class Life {
  /**
   * @param {Hub} hub
   * @param {Reach} reach
   */
  static of(hub, reach) {
    return shared(hub, "life", () => new Life(hub, reach));
  }

  /**
   * @param {Hub} hub
   * @param {Reach} reach
   */
  constructor(hub, reach) {
    this._hub = hub;
    this._reach = reach;
    /** @type {Set<() => void>} */
    this._watchers = new Set();
    this._kind = "";
    this._wasLive = false;
    // JupyterLab and Notebook 7; other front ends have nothing like it, or something of their own.
    const context = hub.widget_manager?.context;
    this._session = context?.sessionContext ?? null;
    this._context = this._session && context ? context : null;
    this._kernel = this._session?.session?.kernel ?? null;
    this._look = () => this._judge();
    this._renamed = () => this._followName();
    /** @type {(sender: unknown, status: unknown) => void} */
    this._change = (_, status) => this._judge(typeof status === "string" ? status : "");
    this._unreach = () => {};
    /**
     * Called with a state that came with an answer.
     * @type {(answer: View) => void}
     */
    this.heard = () => {};
  }

  /** Why there is no longer a kernel, and what to do; null while there is one. */
  get end() {
    return ENDS[this._kind] ?? null;
  }

  get alive() {
    return !this._kind;
  }

  /**
   * Have `callback` called after each change; returns how to stop that.
   * @param {() => void} callback
   */
  watch(callback) {
    if (!this._watchers.size) this._listen();
    this._watchers.add(callback);
    this._judge();
    return () => {
      this._watchers.delete(callback);
      if (!this._watchers.size) this._unlisten();
    };
  }

  _listen() {
    this._hub.on("comm_live_update", this._look);
    this._unreach = this._reach.watch(this._look);
    this._signals((signal) => signal.connect(this._change));
    this._context?.pathChanged?.connect(this._renamed);
    this._timer = setInterval(() => this._poll(), POLL_MS);
  }

  _unlisten() {
    clearInterval(this._timer);
    this._hub.off("comm_live_update", this._look);
    this._unreach();
    this._signals((signal) => signal.disconnect(this._change));
    this._context?.pathChanged?.disconnect(this._renamed);
  }

  /** @param {(signal: Signal) => void} each */
  _signals(each) {
    const session = this._session;
    if (!session) return;
    const { statusChanged, connectionStatusChanged, kernelChanged } = session;
    for (const signal of [statusChanged, connectionStatusChanged, kernelChanged]) {
      if (signal) each(signal);
    }
  }

  get _connected() {
    return this._session?.session?.kernel?.connectionStatus === "connected";
  }

  _judge(status = "") {
    const before = this._kind;
    this._kind = this._found(status);
    if (this._kind !== before) for (const watcher of [...this._watchers]) watcher();
  }

  /** @param {string} status what the page has just said, if anything */
  _found(status) {
    if (this._kind && this._kind !== "lost") return this._kind; // it does not come back
    const session = this._session;
    if (session && this._kernel) {
      const kernel = session.session?.kernel;
      const now = status || kernel?.status || "";
      if (!kernel || this._kernel.isDisposed) return session.isRestarting ? "restarted" : "ended";
      if (kernel.id !== this._kernel.id) return "changed";
      if (["restarting", "autorestarting"].includes(now)) return "restarted";
      if (["dead", "terminating"].includes(now)) return "ended";
    }
    if (this._hub.comm_live === false && this._wasLive) return "restarted";
    this._wasLive ||= this._hub.comm_live === true;
    return this._isLost() ? "lost" : "";
  }

  /** Whether neither the page nor our own way leads to the kernel any more. */
  _isLost() {
    const { reached, best, tried } = this._reach;
    if (!reached || best || !tried || !this._hub.get("links").ports.length) return false;
    return this._session ? !this._connected : true;
  }

  /** Have the kernel ask for its notebook's name, until the Jupyter server knows it. */
  async _followName() {
    const context = this._context;
    const called = () => context?.path.split("/").pop();
    const name = called();
    for (let turn = 0; turn < NAME_TRIES && this.alive; turn += 1) {
      await pause(NAME_MS);
      const answer = await this._reach.call("refresh", POLL_MS, { method: "POST", body: "{}" });
      if (answer?.label === name || called() !== name) return;
    }
  }

  /** Check on the kernel if the page does not say how it is. */
  async _poll() {
    if (document.hidden || (!this.alive && this._kind !== "lost")) return;
    const silent = this._session ? !this._connected : document.hasFocus();
    if (!silent || !this._hub.get("links").ports.length) return;
    const answer = this._reach.best && (await this._reach.call("state", ANSWER_MS));
    if (answer) this.heard(answer);
    else {
      this._reach.again();
      await this._reach.find();
    }
    this._judge();
  }
}
