/** A frame that a notebook shows. */
export interface Frame {
  id: string;
  name: string;
  rows: number;
  columns: number;
  /** Greater after each show. */
  shown: number;
}

/** A notebook, as the server describes it and as it is remembered. */
export interface Notebook {
  owner: string;
  label: string;
  /** null if not known: the notebook has not responded since this page was opened. */
  slug: string | null;
  front: boolean;
  responding: boolean;
  ended?: boolean;
  frames: Frame[];
}

/** What the address of the page asks for. */
export interface Wanted {
  label: string;
  /** Beginning of an owner id; "" if the name is enough. */
  owner: string;
  frame: string;
}

/** What to show. */
export interface Selection {
  follows: boolean;
  notebook?: Notebook;
  frame?: Frame;
  /** What to say about it. */
  note: string;
}

export interface Column {
  name: string;
  type: string;
}

export type Cell = string | number | boolean | null;

/** Some rows of a frame that the reader may look at. */
export interface Part {
  name: string;
  /** Seconds since the epoch. */
  expires: number;
  shown: number;
  columns: Column[];
  total: number;
  rows: Cell[][];
  error?: string;
}

export interface View {
  /** Names of columns, and whether to sort them in ascending order. */
  sort: [string, boolean][];
  /** What was typed, by the name of the column. */
  filters: Record<string, string>;
}
