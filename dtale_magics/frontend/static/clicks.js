// What the reader's clicks do. A click goes over HTTP to the kernel's own server, which answers even
// while a cell runs, or over the widget's comm if the browser does not reach that server.

import { copyText, isEnabled, random, text } from "./elements.js";

/** @import { Life } from "./kernel.js" */
/** @import { Panel } from "./panel.js" */
/** @import { Reach } from "./reach.js" */
/** @import { Hub } from "./types.d.ts" */

const ACT_MS = 30000;
const PATIENCE_MS = 1500;
const FLASH_MS = 300; // an action that takes no longer is not shown as under way
const COPIED_MS = 2000;
const BUSY = "Waiting for the kernel: this is done as soon as the running cell has ended.";

export class Clicks {
  /**
   * @param {Panel} panel
   * @param {Hub} hub
   * @param {Reach} reach
   * @param {Life} life
   */
  constructor(panel, hub, reach, life) {
    this._panel = panel;
    this._hub = hub;
    this._reach = reach;
    this._life = life;
    this._asking = false;
    this._ended = new AbortController();
    /** What was clicked, and may not be under way yet. */
    this.pending = "";
    this.note = "";
    /** Whether the range is being typed. */
    this.typing = false;
  }

  /** Whether the button's question is shown; the question may be gone by now. */
  get asking() {
    this._asking &&= Boolean(this._panel.view.button?.confirm);
    return this._asking;
  }

  get works() {
    return this._life.alive && !this.pending && !this._panel.view.activity.doing;
  }

  /** Stop waiting. */
  end() {
    this._ended.abort();
  }

  /** Press the panel's one button; if it asks a question, the second press confirms. */
  async press() {
    const { button } = this._panel.view;
    if (!button || !isEnabled(this._panel.parts.primary)) return;
    if (button.confirm && !this.asking) {
      this._panel.speak();
      this._asking = true;
      this._panel.draw();
      return;
    }
    await this._act(button.action, button.value);
    this._keepFocus();
  }

  cancel() {
    this._asking = false;
    this._panel.draw();
    this._panel.parts.primary.focus();
  }

  async undo() {
    const { undo } = this._panel.view.activity;
    if (!undo) return;
    await this._act(undo.action, undo.value);
    this._keepFocus();
  }

  /**
   * @param {string} value the range as it was typed; empty for the configured one
   */
  async setRange(value) {
    const { set, range } = this._panel.parts;
    if (!isEnabled(set)) return;
    await this._act("range", value);
    const { said } = this._panel.view.activity;
    this.typing = Boolean(said && said.action === "range" && !said.ok);
    if (!this.typing) range.value = this._panel.view.range;
  }

  async copy() {
    const { url, parts } = this._panel;
    if (!url) return;
    const done = await copyText(url, parts.region);
    text(parts.copy, done ? "Copied ✓" : "Not allowed");
    this._panel.announce(done ? "Link copied" : "The browser does not allow to copy");
    parts.copy.focus();
    setTimeout(() => text(parts.copy, "Copy link"), COPIED_MS);
  }

  /**
   * Ask the kernel's server for an action; null if it cannot be reached.
   * @param {string} action
   * @param {object} body
   */
  async post(action, body) {
    await this._reach.find();
    const options = { method: "POST", body: JSON.stringify(body) };
    const answer = await this._reach.call(action, ACT_MS, options);
    if (answer) this._panel.know(answer);
    else this._reach.again();
    return answer;
  }

  /**
   * @param {string} action
   * @param {string} value
   */
  async _act(action, value) {
    if (!this.works) return;
    const click = random();
    const before = this._panel.view.revision;
    this._panel.speak();
    this._asking = false;
    this.note = "";
    const flash = setTimeout(() => {
      this.pending = "Working …";
      this._panel.draw();
    }, FLASH_MS);
    const answer = await this.post(action, { value, click });
    if (!answer && this._life.alive) {
      this._hub.send({ type: "act", action, value, click, view: this._panel.id });
      await this._answered(before);
    }
    clearTimeout(flash);
    this.pending = "";
    this.note = "";
    this._panel.drawPanels();
  }

  /**
   * Wait until the kernel has done what the comm asked for; say so if a cell holds it up.
   * @param {number} before the revision before the click
   * @returns {Promise<void>}
   */
  _answered(before) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.note = BUSY;
        this._panel.draw();
      }, PATIENCE_MS);
      const check = () => {
        const view = this._hub.get("view");
        const done = view.revision > before && !view.activity.doing;
        if (!done && this._life.alive && !this._ended.signal.aborted) return;
        clearTimeout(timer);
        this._hub.off("change:view", check);
        unwatch();
        resolve();
      };
      this._hub.on("change:view", check);
      const unwatch = this._life.watch(check);
      this._ended.signal.addEventListener("abort", check);
    });
  }

  /** Keep the focus in the panel if the button that had it is gone. */
  _keepFocus() {
    const { primary, undo, fold } = this._panel.parts;
    const focused = document.activeElement;
    if (focused instanceof HTMLElement && focused !== document.body && focused.offsetParent) return;
    ([undo, primary].find((one) => !one.hidden && one.offsetParent) ?? fold).focus();
  }
}
