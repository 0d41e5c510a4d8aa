// The panel in the browser: shows what the hub model says, and sends clicks.
//
// Everything from outside is set as textContent or as an attribute of a known kind, never as HTML.
// A click goes over HTTP to the kernel's own server, which answers while a cell runs, and over the
// widget's comm where the browser does not reach that server.

const HEADER = "X-Dtale-Magics";
const PROBE_MS = 2000;
const ACT_MS = 30000;
const PATIENCE_MS = 1500;
const BUSY = "Waiting for the kernel: this is done as soon as the running cell has ended.";
const DEAD = "The kernel was restarted or has ended. Run the cell again.";

export default { render };

async function render({ model, el }) {
  const hub = await model.widget_manager.get_model(
    model.get("hub").replace("IPY_MODEL_", ""),
  );
  const id = random();
  const parts = build(el);
  const reach = new Reach(() => hub.get("links"));
  const local = { pending: "", asking: false, note: "", newest: null, dirty: false };

  // ------------------------------------------------------------------ drawing

  function current() {
    const view = hub.get("view");
    return local.newest && local.newest.revision > view.revision ? local.newest : view;
  }

  function draw() {
    const view = current();
    const live = hub.comm_live !== false;
    parts.region.setAttribute("aria-label", `D-Tale of ${view.label}`);
    parts.name.textContent = view.label;
    line(parts.server, view.server);
    line(parts.ingress, view.ingress);
    drawReach(view);
    text(parts.warning, view.warning ? `▲ ${view.warning}` : "");
    show(parts.warning, Boolean(view.warning));
    drawLinks();
    drawButton(view, live);
    drawSaid(view, live);
    drawDetails(view, live);
  }

  function drawReach(view) {
    const links = hub.get("links");
    parts.outside.parentElement.dataset.mark = view.outside.mark;
    let here = "this page: …";
    if (!links.ports.length) here = "this page: nothing to reach";
    else if (reach.base) here = `this page: ✓ reaches it ${reach.how}`;
    else if (reach.tried) here = "this page: ✗ does not reach it";
    text(parts.here, here);
    text(parts.outside, ` · ${view.outside.glyph} ${view.outside.text}`);
  }

  function drawLinks() {
    const url = pageUrl();
    for (const button of [parts.open, parts.copy]) {
      button.setAttribute("aria-disabled", String(!url));
    }
    if (url) parts.open.href = url;
    else parts.open.removeAttribute("href");
  }

  function drawButton(view, live) {
    const button = view.button;
    const label = parts.primary;
    label.hidden = !button;
    if (!button) return;
    if (!button.confirm) local.asking = false;
    text(label, local.asking ? `Yes: ${lower(button.label)}` : button.label);
    label.dataset.action = button.action;
    label.setAttribute("aria-disabled", String(!live || working(view)));
  }

  function drawSaid(view, live) {
    const { doing, said, undo } = view.activity;
    let words = "";
    let kind = "none";
    if (!live) [words, kind] = [DEAD, "bad"];
    else if (local.asking && view.button) [words, kind] = [view.button.confirm, "ask"];
    else if (doing || local.pending) [words, kind] = [local.note || doing || local.pending, "busy"];
    else if (local.note) [words, kind] = [local.note, "bad"];
    else if (view.news) [words, kind] = [`› ${view.news}`, "news"];
    else if (said && !(said.action === "range" && !said.ok)) {
      words = `${said.ok ? "✓" : "✗"} ${said.text}${said.hint ? `\n${said.hint}` : ""}`;
      kind = said.ok ? "good" : "bad";
    }
    text(parts.status, words);
    parts.status.dataset.kind = kind;
    parts.status.classList.toggle("dp-busy", kind === "busy");
    parts.region.setAttribute("aria-busy", String(kind === "busy"));
    show(parts.cancel, local.asking);
    show(parts.undo, Boolean(undo) && live && !local.asking && kind !== "busy");
    if (undo) text(parts.undo, undo.label);
  }

  function drawDetails(view, live) {
    if (!local.dirty && document.activeElement !== parts.range) parts.range.value = view.range;
    const { said } = view.activity;
    const wrong = said && said.action === "range" && !said.ok ? said : null;
    parts.range.setAttribute("aria-invalid", String(Boolean(wrong)));
    text(parts.error, wrong ? `✗ ${wrong.text}${wrong.hint ? `\n${wrong.hint}` : ""}` : "");
    for (const button of [parts.set, parts.reset]) {
      button.setAttribute("aria-disabled", String(!live || working(view)));
    }
    list(parts.kernels, view.kernels, (kernel) => {
      const name = make("strong", "", kernel.label);
      const here = kernel.here ? " (this notebook)" : "";
      const item = make("li", "");
      item.append(name, `${here} · ${kernel.text}`);
      if (kernel.frames.length) {
        const frames = make("ul", "");
        frames.append(...kernel.frames.map((frame) => make("li", "", frame)));
        item.append(frames);
      }
      return item;
    });
    list(parts.events, view.events, ([moment, words]) => {
      const item = make("li", "");
      const time = make("time", "", clock(moment, true));
      time.dateTime = new Date(moment * 1000).toISOString();
      item.append(time, `  ${words}`);
      return item;
    });
    show(parts.noKernels, !view.kernels.length);
    show(parts.noEvents, !view.events.length);
  }

  const working = (view) => Boolean(local.pending || view.activity.doing);

  // -------------------------------------------------------------------- links

  /** The address to open or to give away: the ingress where it is ours, or else what works here. */
  function pageUrl() {
    const links = hub.get("links");
    const view = current();
    if (!links.ports.length) return "";
    const own = view.ingress.mark === "ours" && links.ingress_url;
    const base = own ? `${links.ingress_url}/${links.slug}` : reach.base || reach.likely();
    const id = model.get("frame").data_id;
    return new URL(id ? `${base}/dtale/main/${id}` : `${base}/`, location.href).href;
  }

  async function drawGrid() {
    const frame = model.get("frame");
    if (!frame.data_id) return;
    const links = hub.get("links");
    const base = (await reach.find()) || reach.likely();
    if (!base || gone.signal.aborted) return;
    const grid = parts.grid || el.appendChild(make("iframe", "dtale-grid"));
    parts.grid = grid;
    grid.title = `D-Tale: ${frame.title}`;
    // An iframe that still works is left alone: loading it again would lose its place.
    const works =
      links.ports.some((port) => grid.dataset.port === String(port)) &&
      grid.src.includes(`/${links.slug}/`);
    if (works && grid.dataset.frame === frame.data_id) return;
    grid.dataset.port = String(reach.port);
    grid.dataset.frame = frame.data_id;
    grid.src = `${base}/dtale/iframe/${encodeURIComponent(frame.data_id)}`;
  }

  async function look() {
    await reach.find();
    if (!gone.signal.aborted) draw();
    await drawGrid();
  }

  // ------------------------------------------------------------------- clicks

  async function act(action, value = "") {
    if (hub.comm_live === false || working(current())) return;
    const click = random();
    const before = current().revision;
    local.asking = false;
    local.note = "";
    local.pending = "Working …";
    draw();
    const answer = await post(action, { value, click });
    if (answer) {
      if (answer.revision > current().revision) local.newest = answer;
    } else {
      hub.send({ type: "act", action, value, click, view: id });
      await answered(before);
    }
    local.pending = "";
    local.note = "";
    draw();
  }

  async function post(action, body) {
    if (!(await reach.find())) return null;
    const answer = await reach.call(action, ACT_MS, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer) reach.forget();
    return answer;
  }

  /** Wait until the kernel has done what the comm asked for; say so if a cell keeps it waiting. */
  function answered(before) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        local.note = BUSY;
        draw();
      }, PATIENCE_MS);
      const check = () => {
        const view = hub.get("view");
        const done = view.revision > before && !view.activity.doing;
        if (!done && hub.comm_live !== false && !gone.signal.aborted) return;
        clearTimeout(timer);
        hub.off("change:view", check);
        hub.off("comm_live_update", check);
        resolve();
      };
      hub.on("change:view", check);
      hub.on("comm_live_update", check);
      gone.signal.addEventListener("abort", check);
    });
  }

  function clicked() {
    const button = current().button;
    if (!button || parts.primary.getAttribute("aria-disabled") === "true") return;
    if (button.confirm && !local.asking) {
      local.asking = true;
      draw();
    } else act(button.action, button.value);
  }

  async function copy() {
    const url = pageUrl();
    if (!url) return;
    local.note = "";
    try {
      await navigator.clipboard.writeText(url);
      text(parts.copy, "Copied ✓");
    } catch {
      text(parts.copy, copyOldWay(url, parts.region) ? "Copied ✓" : "Not allowed");
    }
    parts.copy.focus();
    setTimeout(() => text(parts.copy, "Copy link"), 2000);
  }

  async function setRange(value) {
    if (parts.set.getAttribute("aria-disabled") === "true") return;
    await act("range", value);
    const { said } = current().activity;
    local.dirty = Boolean(said && said.action === "range" && !said.ok);
    if (!local.dirty) parts.range.value = current().range;
  }

  // ---------------------------------------------------------------- listening

  const gone = new AbortController();
  const on = (target, event, handler) =>
    target.addEventListener(event, handler, { signal: gone.signal });

  on(parts.primary, "click", clicked);
  on(parts.cancel, "click", () => {
    local.asking = false;
    draw();
    parts.primary.focus();
  });
  on(parts.undo, "click", () => {
    const { undo } = current().activity;
    if (undo) act(undo.action, undo.value).then(() => parts.primary.focus());
  });
  on(parts.copy, "click", copy);
  on(parts.range, "input", () => {
    local.dirty = true;
  });
  on(parts.form, "submit", (event) => {
    event.preventDefault();
    setRange(parts.range.value.trim());
  });
  on(parts.reset, "click", () => setRange(""));
  // Jupyter's own shortcuts would take the keys typed into the field.
  on(parts.form, "keydown", (event) => event.stopPropagation());

  // Who holds a port without being one of us tells nobody when it goes: ask when somebody looks.
  let asked = performance.now();
  const returned = () => {
    if (document.hidden || performance.now() - asked < PATIENCE_MS) return;
    asked = performance.now();
    if (["stranger", "free"].includes(current().ingress.mark)) {
      post("refresh", {}).then((answer) => {
        if (answer && answer.revision > current().revision) local.newest = answer;
        draw();
      });
    }
  };
  on(window, "focus", returned);
  on(document, "visibilitychange", returned);
  on(parts.region, "pointerenter", returned);
  on(window, "pagehide", () => say("gone"));

  const say = (type) => {
    if (hub.comm_live !== false) hub.send({ type, view: id });
  };
  const moved = () => {
    reach.forget();
    look();
  };
  hub.on("change:view", draw);
  hub.on("change:links", moved);
  hub.on("comm_live_update", draw);
  model.on("change:frame", drawGrid);

  draw();
  say("here");
  look();

  return () => {
    gone.abort();
    hub.off("change:view", draw);
    hub.off("change:links", moved);
    hub.off("comm_live_update", draw);
    say("gone");
  };
}

// ---------------------------------------------------------------------- reach

/** Finds the way from this page to the kernel's server. */
class Reach {
  constructor(links) {
    this._links = links;
    this._round = 0;
    this.forget();
  }

  forget() {
    this.base = "";
    this.how = "";
    this.port = 0;
    this.tried = false;
    this._search = null;
    this._round += 1;
  }

  /** The base URL that answered as this kernel, or "". */
  find() {
    if (!this._search) this._search = this._try();
    return this._search;
  }

  /** Where it most probably is, if nothing answered. */
  likely() {
    const [first] = this._ways();
    if (first) this.port = first.port;
    return first ? first.base : "";
  }

  async call(path, milliseconds, options = {}, base = this.base) {
    try {
      const answer = await fetch(`${base}/_magics/${path}`, {
        ...options,
        cache: "no-store",
        credentials: "same-origin",
        headers: { ...options.headers, [HEADER]: "1" },
        signal: AbortSignal.timeout(milliseconds),
      });
      const data = await answer.json();
      return answer.ok && data.owner === this._links().owner ? data : null;
    } catch {
      return null; // refused, timed out, or not ours: there is the comm
    }
  }

  async _try() {
    const round = this._round;
    for (const way of this._ways()) {
      const answer = await this.call("state", PROBE_MS, {}, way.base);
      if (round !== this._round) return this.find(); // the ports have changed meanwhile
      if (answer) {
        Object.assign(this, way);
        break;
      }
    }
    this.tried = true;
    return this.base;
  }

  _ways() {
    const { ports, slug, ingress_url: ingress, ingress_port: exposed } = this._links();
    const root = baseUrl();
    // From a page of another machine, 127.0.0.1 is the reader's own computer: never tell it the slug.
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    const direct = ports.map((port) => ({
      base: `http://127.0.0.1:${port}/${slug}`,
      how: "directly",
      port,
    }));
    const proxied = ports.map((port) => ({
      base: `${location.origin}${root}proxy/${port}/${slug}`,
      how: "through jupyter-server-proxy",
      port,
    }));
    const outside =
      ingress && ports.includes(exposed)
        ? [{ base: `${ingress}/${slug}`, how: "through the ingress", port: exposed }]
        : [];
    return [...(local ? direct : []), ...proxied, ...outside];
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

// ------------------------------------------------------------------------ DOM

function build(el) {
  const region = make("section", "dtale-panel");
  region.setAttribute("role", "region");
  const row = (name, ...buttons) => {
    const box = make("div", `dp-row dp-${name}`);
    const mark = make("span", "dp-mark");
    mark.setAttribute("aria-hidden", "true");
    const words = make("div", "dp-text");
    const group = make("div", "dp-buttons");
    group.append(...buttons);
    box.append(mark, words, group);
    region.append(box);
    return { box, mark, words };
  };

  const open = make("a", "dp-button", "Open");
  open.target = "_blank";
  open.rel = "noopener noreferrer";
  const copy = button("Copy link");
  const server = row("server", open, copy);
  const name = make("strong", "");
  server.fact = make("span", "");
  server.words.append(name, " · ", server.fact);

  const primary = button("", "dp-primary");
  const ingress = row("ingress", primary);
  ingress.fact = ingress.words;

  const reaching = row("reach");
  const here = make("span", "dp-here");
  const outside = make("span", "dp-outside");
  reaching.words.append(here, outside);
  text(reaching.mark, "⇄");

  const warning = make("div", "dp-warning");
  region.append(warning);

  const said = make("div", "dp-said");
  const status = make("div", "dp-status");
  status.setAttribute("role", "status");
  status.setAttribute("aria-live", "polite");
  const undo = button("Undo");
  const cancel = button("Cancel");
  const side = make("div", "dp-buttons");
  side.append(undo, cancel);
  said.append(status, side);
  region.append(said);

  const details = make("details", "");
  details.append(make("summary", "", "Details"));
  const form = make("form", "");
  const key = random();
  const label = make("label", "", "Look for ports in");
  const range = make("input", "");
  label.htmlFor = range.id = `dtale-range-${key}`;
  range.type = "text";
  range.autocomplete = "off";
  range.spellcheck = false;
  const set = button("Set");
  set.type = "submit";
  const reset = button("Reset");
  reset.title = "Return to the configured range";
  const error = make("div", "dp-error");
  error.id = `dtale-error-${key}`;
  error.setAttribute("role", "alert");
  range.setAttribute("aria-describedby", error.id);
  form.append(label, range, set, reset, error);
  const kernels = make("ul", "dp-kernels");
  const noKernels = make("div", "dp-faint", "none");
  const events = make("ul", "dp-events");
  const noEvents = make("div", "dp-faint", "none yet");
  details.append(
    form,
    make("h4", "", "D-Tales of this pod"),
    kernels,
    noKernels,
    make("h4", "", "What happened"),
    events,
    noEvents,
  );
  region.append(details);
  el.append(region);
  return {
    region, name, server, ingress, here, outside, warning, open, copy, primary, status, undo, cancel,
    form, range, set, reset, error, kernels, noKernels, events, noEvents, grid: null,
  };
}

function line(row, fact) {
  row.box.dataset.mark = fact.mark;
  text(row.mark, fact.glyph);
  const since = fact.since === null ? "" : ` since ${clock(fact.since)}`;
  text(row.fact, `${fact.text}${since}${fact.note ? `, ${fact.note}` : ""}`);
}

/** Fill `parent` anew, but only if something has changed. */
function list(parent, items, render) {
  const key = JSON.stringify(items);
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren(...items.map(render));
}

function make(tag, className, words = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (words) node.textContent = words;
  return node;
}

function button(words, className = "") {
  const node = make("button", className, words);
  node.type = "button";
  return node;
}

/** Change a text only if it differs, so that nothing is read aloud twice. */
function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

function show(node, visible) {
  node.hidden = !visible;
}

function lower(words) {
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function clock(moment, seconds = false) {
  const date = new Date(moment * 1000);
  const options = { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) };
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? "" : `${date.toLocaleDateString()} `;
  return day + date.toLocaleTimeString([], options);
}

function copyOldWay(words, parent) {
  const field = make("textarea", "");
  field.value = words;
  parent.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
