// Whether a panel is one line or unfolded: it unfolds to show what the reader should see, and
// otherwise stays as the reader chose.

const CHOICE = "dtale_magics.unfolded.";

/** @typedef {"frame" | "state"} Kind whether the panel stands above a grid or alone */

export class Folding {
  /**
   * @param {Kind} kind
   * @param {{ folded: string }} seen what the reader has folded away in this page
   */
  constructor(kind, seen) {
    this._kind = kind;
    this._seen = seen;
    this._chosen = remembered(kind); // in this panel or an earlier one
  }

  /** @param {string} concern what the reader ought to see; empty if nothing */
  isUnfolded(concern) {
    if (concern && concern !== this._seen.folded) return true;
    return this._chosen ?? this._kind === "state";
  }

  /**
   * Fold or unfold, as the reader wishes.
   * @param {string} shown the concern for which the panel may have unfolded
   * @param {string} concern the concern, whether this panel tells it or not
   */
  toggle(shown, concern) {
    const unfolded = !this.isUnfolded(shown);
    // Folding away a problem is not a choice for the future.
    if (!unfolded && concern) this._seen.folded = concern;
    else remember(this._kind, unfolded);
    this._chosen = unfolded;
  }
}

/**
 * Whether the reader wants panels of this kind unfolded; null if the reader has not said.
 * @param {Kind} kind
 */
function remembered(kind) {
  try {
    const choice = localStorage.getItem(CHOICE + kind);
    return choice === null ? null : choice === "yes";
  } catch {
    return null; // a browser without storage
  }
}

/**
 * @param {Kind} kind
 * @param {boolean} unfolded
 */
function remember(kind, unfolded) {
  try {
    localStorage.setItem(CHOICE + kind, unfolded ? "yes" : "no");
  } catch {
    // then it holds for this panel alone
  }
}
