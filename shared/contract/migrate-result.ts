import * as z from "zod";
import { openObject } from "../document-schema.ts";
import type { ErrorDocument } from "../error-document.ts";
import { migrateCheckNames } from "./names.ts";

export const migrateCheckSchema = openObject({
  /** Stable; for programs. */
  name: z.enum(migrateCheckNames),
  /** null: unknown, which does not block the migration. */
  ok: z.boolean().nullable(),
  /** One sentence. */
  detail: z.string(),
  /** Facts for programs; plain JSON. */
  facts: z.record(z.string(), z.unknown()).optional(),
});
export type MigrateCheck = z.infer<typeof migrateCheckSchema>;

/** Result of a step `check`; a check with `ok: false` refuses the migration. */
export interface CheckReport {
  checks: MigrateCheck[];
  /** Ms since 1970 when the area becomes quiet without new activity; undefined if waiting does not help. */
  earliestAt?: number;
}

/** The JSON of `--wait --json`. */
export const migrateResultSchema = openObject({
  jobId: z.string(),
  job: z.literal("migrate"),
  kind: z.enum(["migration", "takeover"]),
  area: z.string(),
  areaId: z.string().nullable(),
  /** Content of `.homehost`; null if there was none. */
  from: z.string().nullable(),
  to: z.string(),
  /** Names of the hosts' queues; null if unknown. */
  fromHost: z.string().nullable(),
  toHost: z.string(),
  state: z.enum(["completed", "failed", "cancelled"]),
  dryRun: z.boolean(),
  outcome: z.enum(["migrated", "already-home", "refused", "rolled-back"]),
  /** One sentence, if refused or rolled back. */
  reason: z.string().optional(),
  /** null if none was issued. */
  token: z.number().nullable(),
  source: z.enum(["cache", "megatest.db"]).nullable(),
  /** Sizes of transferred files, by name. */
  bytes: z.record(z.string(), z.number()),
  checks: z.array(migrateCheckSchema),
  /** Rows of divergent caches: merged, and kept aside because both sides had changed. */
  strays: openObject({ merged: z.number(), kept: z.number() }),
  /** Take-over: time of the last known sync, ISO 8601; later rows may be missing. */
  lastSyncAt: z.string().optional(),
  warnings: z.array(z.string()),
  elapsedMs: z.number(),
}).meta({ id: "MigrateResult" });
export type MigrateResult = z.infer<typeof migrateResultSchema>;
export type MigrateOutcome = MigrateResult["outcome"];

/** A refused or rolled-back migration: its job fails, with this document in `details.result`. */
export type FailedMigration = MigrateResult & { error: ErrorDocument };
