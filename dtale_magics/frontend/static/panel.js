// The panel in the browser: shows what the hub model says, and sends clicks.
//
// Everything from outside is set as textContent or as an attribute of a known kind, never as HTML.
// A click goes over HTTP to the kernel's own server, which answers while a cell runs, and over the
// widget's comm where the browser does not reach that server.

const HEADER = "X-Dtale-Magics";
const PROBE_MS = 2500;
const GRACE_MS = 250;
const RETRY_MS = 2000;
const LONGEST_RETRY_MS = 60000;
const STALE_MS = 10000;
const MOST_OWNERS = 64;
const ACT_MS = 30000;
const PATIENCE_MS = 1500;
const BUSY = "Waiting for the kernel: this is done as soon as the running cell has ended.";
const HOW = {
  ingress: "through the ingress",
  hub: "through jupyter-server-proxy",
  server: "through jupyter-server-proxy",
  page: "through jupyter-server-proxy",
  pod: "by the pod’s address",
  loopback: "directly",
};
const CAUSES = {
  401: "sign-in",
  403: "sign-in",
  404: "no-route",
  502: "bad-gateway",
  503: "unavailable",
  504: "gateway-timeout",
};
const WRONG = new Set(["another-notebook", "other-dtale", "wrong-prefix", "no-route"]);
const DEAD = "The kernel was restarted or has ended. Run the cell again.";

export default { render };

async function render({ model, el }) {
  const hub = await model.widget_manager.get_model(
    model.get("hub").replace("IPY_MODEL_", ""),
  );
  const id = random();
  const parts = build(el);
  const reach = Reach.of(hub);
  const local = { pending: "", asking: false, note: "", newest: null, dirty: false, instead: false };

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
    drawFrame();
    drawLinks();
    drawButton(view, live);
    drawSaid(view, live);
    drawDetails(view, live);
  }

  /** Which frame the grid shows: the panel's, or the newer one of its name. */
  function shownFrame() {
    const { data_id, shown, newer } = model.get("frame");
    return local.instead && newer ? newer : { data_id, shown };
  }

  function drawFrame() {
    const { title, note, newer, gone: why } = model.get("frame");
    show(parts.frame.box, Boolean(title));
    if (!title) return;
    if (!newer) local.instead = false;
    parts.frame.box.dataset.mark = why ? "lost" : note ? "stranger" : "";
    text(parts.frame.mark, why ? "✗" : note ? "▲" : "▦");
    text(parts.frame.words, why || (local.instead ? `Newer than this cell: ${note}` : note || title));
    show(parts.newer, Boolean(newer));
    text(parts.newer, local.instead ? "Back to this cell’s" : "Show the newer one here");
  }

  function drawReach(view) {
    const { mark, glyph, text: summary, note } = view.outside;
    const best = hub.get("links").ports.length ? reach.best : null;
    parts.reach.box.dataset.mark = best ? "ours" : mark;
    // The page knows first; the kernel knows why.
    let words = reach.tried ? summary : "This page looks for the way to it …";
    if (best) words = `This page shows it ${HOW[best.source]}: ${best.url}`;
    text(parts.reach.mark, best ? "✓" : reach.tried ? glyph : "…");
    text(parts.here, words);
    text(parts.outside, note && (!best || mark === "ours") ? `\n${note}` : "");
  }

  function drawLinks() {
    const url = linkUrl();
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
    list(parts.ways, view.ways, (way) => {
      const item = make("li", "");
      item.append(make("strong", "", way.base));
      item.append(` · browser: ${way.browser} · kernel: ${way.kernel}`);
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

  /** The address to open or to give away. */
  function linkUrl() {
    const links = hub.get("links");
    const way = links.ports.length ? reach.likely() : null;
    if (!way) return "";
    const id = model.get("frame").gone ? "" : shownFrame().data_id;
    return `${way.url}/${links.slug}/${id ? `dtale/main/${id}` : ""}`;
  }

  async function drawGrid() {
    const frame = model.get("frame");
    if (frame.gone && parts.grid) {
      parts.grid.remove();
      parts.grid = null;
    }
    if (!frame.data_id || frame.gone) return;
    const best = await reach.find();
    const links = hub.get("links");
    if (!best || gone.signal.aborted || model.get("frame").gone) return; // no blank frame: the panel says what is the matter
    const grid = parts.grid || el.appendChild(make("iframe", "dtale-grid"));
    parts.grid = grid;
    grid.title = `D-Tale: ${frame.title}`;
    grid.style.width = frame.width ?? "";
    grid.style.height = frame.height ?? "";
    // An iframe that still works is left alone: loading it again would lose its place.
    const works =
      grid.dataset.source === best.source &&
      links.ports.some((port) => grid.dataset.port === String(port)) &&
      grid.src.includes(`/${links.slug}/`);
    const { data_id, shown } = shownFrame();
    const key = `${data_id} ${shown}`; // shown again, its columns may be others: it has to be loaded
    if (works && grid.dataset.frame === key) return;
    grid.dataset.source = best.source;
    grid.dataset.port = String(best.port);
    grid.dataset.frame = key;
    grid.src = `${best.url}/${links.slug}/dtale/iframe/${encodeURIComponent(data_id)}`;
  }

  function found() {
    draw();
    drawGrid();
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
    await reach.find();
    const answer = await reach.call(action, ACT_MS, { method: "POST", body: JSON.stringify(body) });
    if (!answer) reach.again();
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
    const url = linkUrl();
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
  on(parts.newer, "click", () => {
    local.instead = !local.instead;
    found();
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
    if (asked - reach.asked > STALE_MS) reach.again();
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
  const unwatch = reach.watch(found);
  hub.on("change:view", draw);
  hub.on("comm_live_update", draw);
  model.on("change:frame", found);

  draw();
  say("here");
  drawGrid();

  return () => {
    gone.abort();
    unwatch();
    hub.off("change:view", draw);
    hub.off("comm_live_update", draw);
    model.off("change:frame", found);
    say("gone");
  };
}

// ---------------------------------------------------------------------- reach

/**
 * The ways from this page to the kernel's server, best first, and what is found there; one for all
 * panels of a page. What is found is told to the kernel, which names the layer that is broken.
 */
class Reach {
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
        headers: { "Content-Type": "application/json", ...options.headers, [HEADER]: "1" },
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
    const ways = waysOf(links);
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
    const best = ways.find(ours) ?? null;
    // The first way on which calls work may be another one: an ingress can keep them out.
    const line = await this._tell(links, ways);
    if (turn !== this._turn) return;
    this._ways = ways;
    // An answer that came too late is no reason to give up a way that is known to work.
    this._line = line ?? ways.find((way) => ours(way) && way.url === this._line?.url) ?? null;
    this.best = best;
    this.tried = true;
    for (const watcher of [...this._watchers]) watcher();
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
    if (!ports.length || (this.best && !lacking)) {
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

const isLoopback = (name) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(name);

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

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
  // 127.0.0.1 is the reader's own computer: nobody's business but a page's from there. And a page
  // that came by https is not let to a pod's address.
  const local = isLoopback(location.hostname);
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

  const reach = row("reach");
  const here = make("span", "dp-here");
  const outside = make("span", "dp-outside");
  reach.words.append(here, outside);

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
  const ways = make("ul", "dp-ways");
  const events = make("ul", "dp-events");
  const noEvents = make("div", "dp-faint", "none yet");
  details.append(
    form,
    make("h4", "", "D-Tales of this pod"),
    kernels,
    noKernels,
    make("h4", "", "Ways to it"),
    ways,
    make("h4", "", "What happened"),
    events,
    noEvents,
  );
  region.append(details);
  const newer = button("");
  const frame = row("frame", newer);
  el.append(region);
  return {
    region, name, server, ingress, reach, here, outside, warning, open, copy, primary, status, undo, cancel,
    form, range, set, reset, error, kernels, noKernels, ways, events, noEvents, frame, newer, grid: null,
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
