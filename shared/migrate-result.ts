import type { ErrorDocument } from "./errors.ts";

/** One thing that was looked at before or while an area moved. */
export interface MigrateCheck {
  /** Stable; for programs. */
  name: MigrateCheckName;
  /** null: it could not be told, which does not hold the migration up. */
  ok: boolean | null;
  /** One sentence. */
  detail: string;
  /** Facts for programs; plain JSON. */
  facts?: Record<string, unknown>;
}

/** In the order in which results list them. */
export const migrateCheckNames = [
  "pinned",
  "from",
  "target",
  "versions",
  "schema",
  "last-migration",
  "tests",
  "activity",
  "servers",
  "open-files",
  "caches",
  "space-area",
  "space-target",
  "signs-of-life",
  "digest",
  "integrity",
  "homehost",
  "settle",
] as const;
export type MigrateCheckName = (typeof migrateCheckNames)[number];

/** What a step `check` found; without `ok: false` nothing speaks against the migration. */
export interface CheckReport {
  checks: MigrateCheck[];
  /** Ms since 1970: when time alone would have made it quiet; undefined where time alone would not. */
  earliestAt?: number;
}

export type MigrateOutcome = "migrated" | "already-home" | "refused" | "rolled-back";

/** What a finished migration returns; the JSON of `--wait --json`. */
export interface MigrateResult {
  jobId: string;
  job: "migrate";
  /** A take-over is told apart everywhere. */
  kind: "migration" | "takeover";
  area: string;
  areaId: string | null;
  /** What `.homehost` held and holds; null where there was none. */
  from: string | null;
  to: string;
  /** Names of the hosts' queues; null where no worker is known by that home. */
  fromHost: string | null;
  toHost: string;
  state: "completed" | "failed" | "cancelled";
  dryRun: boolean;
  outcome: MigrateOutcome;
  /** One sentence, where it was refused or rolled back. */
  reason?: string;
  /** null where none was issued. */
  token: number | null;
  source: "cache" | "megatest.db" | null;
  /** By file name: sizes of what was carried. */
  bytes: Record<string, number>;
  checks: MigrateCheck[];
  /** Rows written at a wrong place: brought home, and kept aside in completed-runs.db because both sides had changed. */
  strays: { merged: number; kept: number };
  /** Take-over: when the last sync seen was, ISO 8601; what came later may be missing. */
  lastSyncAt?: string;
  warnings: string[];
  elapsedMs: number;
}

/** A refused or rolled-back migration as it is printed: its job fails, and carries the document in `details.result`. */
export type FailedMigration = MigrateResult & { error: ErrorDocument };
