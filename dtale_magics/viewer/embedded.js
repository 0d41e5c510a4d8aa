// In D-Tale's page inside a notebook: tells the panel how much room its menus need, because a grid
// with few rows is lower than they are.
(() => {
  if (window.parent === window) return;
  const MENUS = ".column-toggle__dropdown, .dropdown-menu.show, .modal-content";
  const BELOW = 12;
  let told = -1;
  let asked = false;

  /**
   * How far down an open menu reaches, including what is scrolled out of it.
   * @param {Element} menu
   */
  function bottom(menu) {
    const { top, height } = menu.getBoundingClientRect();
    if (!height) return 0;
    const hidden = [menu, ...menu.querySelectorAll("*")].map((one) =>
      /auto|scroll/.test(getComputedStyle(one).overflowY) ? one.scrollHeight - one.clientHeight : 0,
    );
    return top + height + Math.max(...hidden) + BELOW;
  }

  function tell() {
    asked = false;
    const room = Math.max(0, ...[...document.querySelectorAll(MENUS)].map(bottom));
    if (room === told) return;
    told = room;
    window.parent.postMessage({ dtaleMagicsRoom: room }, "*"); // only a number, not a secret
  }

  function ask() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(tell);
  }

  ask();
  document.addEventListener("click", () => setTimeout(ask, 50), true);
  new MutationObserver(ask).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["style", "class", "hidden"],
    childList: true,
    subtree: true,
  });
})();
