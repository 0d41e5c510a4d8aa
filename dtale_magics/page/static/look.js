// The page of a link that can only look: rows as they are scrolled to, sorted and filtered for this
// reader alone. What is sorted and filtered stands in the address, so that a reload keeps it.

const ROW_PIXELS = 29;
const MOST_PIXELS = 8e6; // browsers place nothing exactly beyond some tens of millions
const COUNT = 100;
const TYPE_MILLISECONDS = 350;

const byId = (id) => document.getElementById(id);
const pane = byId("rows");
const head = pane.querySelector("thead");
const body = pane.querySelector("tbody");

let view = readView();
let columns = "";
let total = 0;
let scale = 1; // rows for each row's height, where a table would become too tall
let asked = 0;
let typing = null;

function readView() {
  try {
    const { sort = [], filters = {} } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    return { sort, filters };
  } catch {
    return { sort: [], filters: {} };
  }
}

function keepView() {
  const plain = !view.sort.length && !Object.keys(view.filters).length;
  const hash = plain ? location.pathname : `#${encodeURIComponent(JSON.stringify(view))}`;
  history.replaceState(null, "", hash);
}

function say(text) {
  byId("note").textContent = text;
  byId("note").hidden = !text;
}

async function load(first) {
  const number = (asked += 1);
  const wanted = { sort: view.sort, filters: Object.entries(view.filters) };
  const query = new URLSearchParams({ first, count: COUNT, view: JSON.stringify(wanted) });
  try {
    const answer = await fetch(`_pod/rows?${query}`);
    if (number !== asked) return; // somebody has scrolled or typed on
    if (answer.status === 404) {
      pane.hidden = true;
      say("This link has expired or was revoked, or the frame is gone. Ask for a new one.");
      return;
    }
    if (answer.status === 503) {
      setTimeout(() => number === asked && load(first), 1000);
      return;
    }
    const part = await answer.json();
    if (part.error) {
      say(part.error);
      return;
    }
    say("");
    draw(part, first);
  } catch {
    if (number !== asked) return;
    say("The notebook does not answer now; it is tried again.");
    setTimeout(() => number === asked && load(first), 2000);
  }
}

function draw(part, first) {
  const list = JSON.stringify(part.columns);
  if (list !== columns) {
    columns = list;
    drawHead(part.columns);
  }
  total = part.total;
  document.title = part.name;
  byId("name").textContent = part.name;
  const until = new Date(part.expires * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const rows = total === 1 ? "1 row" : `${total.toLocaleString("en")} rows`;
  byId("about").textContent = `${rows} · look only, until ${until}`;
  markSorting();
  drawRows(part, first);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawHead(found) {
  const cells = found.map(({ name, type }) => {
    const button = element("button", { type: "button", textContent: name, title: type });
    button.addEventListener("click", (event) => sortBy(name, event.shiftKey));
    const filter = element("input", {
      type: "search",
      maxLength: 200,
      placeholder: hint(type),
      value: view.filters[name] ?? "",
    });
    filter.setAttribute("aria-label", `Filter ${name}`);
    filter.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => filterBy(name, filter.value), TYPE_MILLISECONDS);
    });
    const cell = element("th", { scope: "col" }, button, filter);
    cell.dataset.name = name;
    return cell;
  });
  head.replaceChildren(element("tr", {}, ...cells));
}

function hint(type) {
  if (/^(u?int|float)/i.test(type)) return "> 5, 1..5";
  if (type.startsWith("datetime")) return "2024-03, > 2024-03-01";
  return "filter";
}

function drawRows(part, first) {
  const kinds = part.columns.map(({ type }) => (/^(u?int|float|complex)/i.test(type) ? "number" : ""));
  const rows = part.rows.map((cells) =>
    element(
      "tr",
      {},
      ...cells.map((value, place) => {
        const text = value === null ? "nan" : String(value);
        const kind = value === null ? `${kinds[place]} missing` : kinds[place];
        return element("td", { className: kind.trim(), textContent: text, title: text.length > 40 ? text : "" });
      }),
    ),
  );
  const height = Math.min(total * ROW_PIXELS, MOST_PIXELS);
  scale = height ? (total * ROW_PIXELS) / height : 1;
  const above = (first * ROW_PIXELS) / scale;
  const below = Math.max(0, height - above - rows.length * ROW_PIXELS);
  body.replaceChildren(room(above), ...rows, room(below));
  body.dataset.first = first;
  body.dataset.end = first + rows.length;
}

function room(pixels) {
  const cell = element("td", { colSpan: 1000 });
  cell.style.height = `${pixels}px`;
  return element("tr", { className: "room", ariaHidden: "true" }, cell);
}

function scrolled() {
  const top = Math.floor((pane.scrollTop / ROW_PIXELS) * scale);
  const end = top + Math.ceil(pane.clientHeight / ROW_PIXELS);
  const { first, end: last } = body.dataset;
  if (top >= Number(first) && (end <= Number(last) || Number(last) >= total)) return;
  load(Math.max(0, Math.min(top - 30, total - COUNT)));
}

function sortBy(name, adds) {
  const [before] = view.sort.filter(([one]) => one === name);
  const others = adds ? view.sort.filter(([one]) => one !== name) : [];
  const now = before ? (before[1] ? [[name, false]] : []) : [[name, true]];
  change({ sort: [...others, ...now] });
}

function filterBy(name, typed) {
  const filters = { ...view.filters };
  delete filters[name];
  if (typed.trim()) filters[name] = typed.trim();
  change({ filters });
}

function change(what) {
  view = { ...view, ...what };
  keepView();
  markSorting();
  pane.scrollTop = 0;
  load(0);
}

function markSorting() {
  for (const cell of head.querySelectorAll("th")) {
    const [found] = view.sort.filter(([one]) => one === cell.dataset.name);
    const arrow = found ? (found[1] ? " ↑" : " ↓") : "";
    cell.ariaSort = found ? (found[1] ? "ascending" : "descending") : "none";
    cell.querySelector("button").textContent = cell.dataset.name + arrow;
  }
}

let waiting = 0;
pane.addEventListener("scroll", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(scrolled);
});
addEventListener("resize", scrolled);
addEventListener("focus", () => load(Number(body.dataset.first ?? 0)));
load(0);
