// What Python sends to a panel, and what the parts of the panel pass to each other. It does not
// reach the browser: only `tsc` reads it.

/** A `panel_model.Line` with its glyph. */
export interface Line {
  mark: string;
  text: string;
  since: number | null;
  note: string;
  glyph: string;
}

export interface Button {
  action: string;
  label: string;
  value: string;
  confirm: string;
}

export interface Said {
  action: string;
  ok: boolean;
  text: string;
  hint: string;
}

export interface End {
  brief: string;
  text: string;
  hint: string;
}

export interface KernelRow {
  label: string;
  text: string;
  frames: string[];
  here: boolean;
}

export interface WayRow {
  base: string;
  browser: string;
  kernel: string;
}

/** `Controller.state`: a `panel_model.PanelView` with its revision. */
export interface View {
  revision: number;
  label: string;
  server: Line;
  outside: Line;
  ingress: Line | null;
  brief: string;
  concern: string;
  end: End | null;
  button: Button | null;
  activity: { doing: string; said: Said | null; undo: Button | null };
  news: string;
  warning: string;
  range: string;
  kernels: KernelRow[];
  ways: WayRow[];
  events: [number, string][];
}

/** Which frame, and the time at which it was last shown. */
export interface Place {
  data_id: string;
  shown: number;
}

/** `frame_view.frame_state` with the look of its grid; empty for the panel alone. */
export interface Frame extends Place {
  title: string;
  name: string;
  shape: string;
  rows: number;
  note: string;
  newer: Place | null;
  gone: string;
  height: string;
  width?: string;
  theme: string;
}

/** One URL that may lead to the kernel, as Python knows it. */
export interface Base {
  source: "ingress" | "hub" | "server" | "page" | "pod" | "loopback";
  base: string;
  port: number;
  /** The way there, in words. */
  way: string;
}

/** What is found at a URL: a cause of `dtale_magics.reach.causes`, with its fields. */
export interface Finding {
  cause: string;
  label?: string;
  asked?: string;
  seen?: string;
  status?: number;
  milliseconds?: number;
}

export interface Way extends Base {
  url: string;
  found?: Finding;
}

/** `Controller.links`. */
export interface Links {
  slug: string;
  owner: string;
  /** First segment of the address of the pod's page; "" while there is none. */
  page: string;
  round: number;
  asked: number;
  ports: number[];
  ways: Base[];
  others: Record<string, string>;
  max_owners: number;
  protocol: number;
  statuses: Record<number, string>;
  elsewhere: string[];
}

/** The widget model that all panels of a kernel share. */
export interface Hub {
  get(name: "view"): View;
  get(name: "links"): Links;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: object): void;
  comm_live?: boolean;
  widget_manager?: { context?: NotebookContext };
}

/** A panel's own model. */
export interface PanelModel {
  get(name: "frame"): Frame;
  get(name: "hub"): string;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  widget_manager: { get_model(id: string): Promise<Hub> };
}

// What JupyterLab and Notebook 7 tell about a notebook.

export interface Signal {
  connect(callback: (sender: unknown, value: unknown) => void): void;
  disconnect(callback: (sender: unknown, value: unknown) => void): void;
}

export interface Kernel {
  id: string;
  status: string;
  isDisposed: boolean;
  connectionStatus: string;
}

export interface SessionContext {
  session: { kernel: Kernel | null } | null;
  isRestarting: boolean;
  statusChanged?: Signal;
  connectionStatusChanged?: Signal;
  kernelChanged?: Signal;
}

export interface NotebookContext {
  path: string;
  pathChanged?: Signal;
  sessionContext?: SessionContext;
}

/** Everything that decides what a panel looks like. */
export interface Shown {
  view: View;
  frame: Frame;
  end: End | null;
  concern: string;
  unfolded: boolean;
  /** Whether this panel announces what goes on, as one of each page does. */
  speaks: boolean;
  alive: boolean;
  works: boolean;
  /** Whether its button's question is shown. */
  asking: boolean;
  /** What was clicked, and may not be under way yet. */
  pending: string;
  note: string;
  /** Whether the range is being typed. */
  typing: boolean;
  /** Whether the newer frame of this name is shown. */
  instead: boolean;
  hasGrid: boolean;
  url: string;
  /** Address of the pod's page; "" while there is none. */
  page: string;
  best: Way | null;
  tried: boolean;
}
