import type { ErrorDocument } from "../errors.ts";

export interface MigrateCheck {
  /** Stable; for programs. */
  name: MigrateCheckName;
  /** null: unknown, which does not block the migration. */
  ok: boolean | null;
  /** One sentence. */
  detail: string;
  /** Facts for programs; plain JSON. */
  facts?: Record<string, unknown>;
}

/** In the order of results. */
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

/** Result of a step `check`; a check with `ok: false` refuses the migration. */
export interface CheckReport {
  checks: MigrateCheck[];
  /** Ms since 1970 when the area becomes quiet without new activity; undefined if waiting does not help. */
  earliestAt?: number;
}

export type MigrateOutcome = "migrated" | "already-home" | "refused" | "rolled-back";

/** The JSON of `--wait --json`. */
export interface MigrateResult {
  jobId: string;
  job: "migrate";
  kind: "migration" | "takeover";
  area: string;
  areaId: string | null;
  /** Content of `.homehost`; null if there was none. */
  from: string | null;
  to: string;
  /** Names of the hosts' queues; null if unknown. */
  fromHost: string | null;
  toHost: string;
  state: "completed" | "failed" | "cancelled";
  dryRun: boolean;
  outcome: MigrateOutcome;
  /** One sentence, if refused or rolled back. */
  reason?: string;
  /** null if none was issued. */
  token: number | null;
  source: "cache" | "megatest.db" | null;
  /** Sizes of transferred files, by name. */
  bytes: Record<string, number>;
  checks: MigrateCheck[];
  /** Rows of divergent caches: merged, and kept aside because both sides had changed. */
  strays: { merged: number; kept: number };
  /** Take-over: time of the last known sync, ISO 8601; later rows may be missing. */
  lastSyncAt?: string | undefined;
  warnings: string[];
  elapsedMs: number;
}

/** A refused or rolled-back migration: its job fails, with this document in `details.result`. */
export type FailedMigration = MigrateResult & { error: ErrorDocument };
