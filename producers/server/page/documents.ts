/** The members of the server's responses that the page uses; docs/interface.md explains them. */

export interface AreaSummary {
  area: string;
  areaId: string | null;
  name: string | null;
  homehost: string | null;
  problem: string | null;
}

export interface HistoryLine {
  jobId: string;
  at?: string;
  job?: string;
  state?: string;
  requestedBy?: string;
  moved?: Record<string, number>;
  bytes?: Record<string, { before: number; after: number }>;
  sides?: Record<string, { runs: number }>;
  elapsedMs?: number;
  warnings?: string[];
  error?: { code: string; message: string };
}

/** A schedule, or a line of `[reduce-records]`, and the outcome of its jobs. */
export interface Automatic {
  kind: "schedule" | "policy";
  name: string;
  area: string;
  host: string;
  next: string | null;
  ok: boolean;
  problem: string | null;
  last: { endedAt: string } | null;
}

export interface Migration {
  kind: string;
  state: string;
  open: boolean;
  fromHost: string;
  toHost: string;
}

export interface Area extends AreaSummary {
  pinned: boolean;
  bytes: Record<string, number>;
  runs: number | null;
  completedRuns: number | null;
  held: boolean | null;
  lease: { holder: string; jobId: string | null; expiresAt: string } | null;
  migration: Migration | null;
  policies: { name: string; text: string }[];
  paused: string | null;
  history: HistoryLine[];
  automatic: Automatic[] | null;
  problems: string[];
}

export interface Diagnosis {
  ok: boolean;
  checks: { name: string; ok: boolean | null; verdict: string; remedy?: string }[];
}

export interface Progress {
  phase: string;
  runs: { done: number; total: number };
}

export interface JobResult {
  moved: Record<string, number>;
  skippedCounts: Record<string, number>;
  warnings: string[];
}

export interface Job {
  jobId: string;
  host: string;
  job: string;
  area: string | null;
  state: string;
  requestedBy: string | null;
  progress: Progress | null;
  result?: JobResult;
  error?: { message: string; hint?: string };
}

export interface Host {
  host: string;
  counts: Record<string, number>;
  worker: { alive: boolean; address: string | null; version: string } | null;
  drained: { at: string; by: string } | null;
}

/** Sent by the server on every change. */
export interface Farm {
  hosts: Host[];
  /** All schedules, and failing lines of `[reduce-records]`. */
  automatic: Automatic[];
  /** Unfinished jobs. */
  jobs: Job[];
}
