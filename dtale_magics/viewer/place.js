// Keeps the reader's place in the grid when the page is loaded again: the frame is shown anew when
// its cell is run again or, with --watch, when it has changed.
(() => {
  const KEY = `dtale_magics ${location.pathname.split("/").slice(-2).join("/")}`; // iframe/1
  const TRIES_MS = 15000; // how long a slow kernel's first rows may take
  const STEADY_MS = 600; // the grid lays its columns out once more when their widths are known
  const BY_HAND = ["wheel", "pointerdown", "keydown", "touchstart"];

  // The last of D-Tale's four grids has the rows; those before it are the header and the margin.
  const rows = () => [...document.querySelectorAll(".ReactVirtualized__Grid")].at(-1);

  function save() {
    const grid = rows();
    if (!grid) return;
    try {
      sessionStorage.setItem(KEY, JSON.stringify([grid.scrollTop, grid.scrollLeft]));
    } catch {
      // a browser without storage in frames of other sites: the grid starts at its top
    }
  }

  function saved() {
    try {
      const [top, left] = JSON.parse(sessionStorage.getItem(KEY) ?? "");
      sessionStorage.removeItem(KEY);
      return top || left ? { top, left } : null;
    } catch {
      return null;
    }
  }

  /** @param {{ top: number, left: number }} place */
  function restore({ top, left }) {
    const ends = performance.now() + TRIES_MS;
    let steadySince = 0;
    let wanted = true;
    for (const event of BY_HAND) {
      addEventListener(event, () => (wanted = false), { capture: true, once: true, passive: true });
    }
    const step = () => {
      const now = performance.now();
      if (!wanted || now > ends) return;
      requestAnimationFrame(step);
      const grid = rows();
      if (!grid?.querySelector(".cell")) return;
      const there = [
        Math.min(top, grid.scrollHeight - grid.clientHeight),
        Math.min(left, grid.scrollWidth - grid.clientWidth),
      ];
      const near =
        Math.abs(grid.scrollTop - there[0]) < 2 && Math.abs(grid.scrollLeft - there[1]) < 2;
      if (!near) {
        [grid.scrollTop, grid.scrollLeft] = there;
        steadySince = 0;
      } else if (!steadySince) steadySince = now;
      else if (now - steadySince > STEADY_MS) wanted = false;
    };
    requestAnimationFrame(step);
  }

  const place = saved();
  addEventListener("pagehide", save);
  if (place) restore(place);
})();
