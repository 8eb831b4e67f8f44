import type { Job } from "bullmq";
import * as z from "zod";
import { type MigrateCheck, migrateCheckSchema } from "../../../shared/contract/migrate-result.ts";
import type { Progress } from "../../../shared/contract/move-result.ts";
import { migrateCheckNames } from "../../../shared/contract/names.ts";

// State of the coordinating job between two passes, stored in the job's progress. It may be lost: the row in
// megatest.db is authoritative.

const schema = z.object({
  /** When the first pass began, ms since 1970; see `startedOn`. */
  startedAt: z.number().default(() => Date.now()),
  /** Number of steps requested; part of their job ids. */
  round: z.number().int().default(0),
  /** `since` in ms since 1970. */
  step: z
    .object({
      name: z.enum(["check", "stop-servers", "close"]),
      host: z.string(),
      jobId: z.string(),
      since: z.number(),
    })
    .optional(),
  /** Passes without a change; pauses grow with it. */
  idle: z.number().int().default(0),
  checks: z.array(migrateCheckSchema).default([]),
  bytes: z.record(z.string(), z.number()).default({}),
  /** Name of the old home's worker. */
  fromHost: z.string().optional(),
  /** Take-over only: when megatest.db last changed before it, ms since 1970. */
  syncedAt: z.number().optional(),
  /** Value of the Redlock held for this job. */
  lockValue: z.string().optional(),
  serversStopped: z.boolean().default(false),
  /** Servers that this job stopped. */
  stopped: z.array(z.object({ host: z.string(), pid: z.number() })).default([]),
  /** Ms since 1970. */
  watchSince: z.number().optional(),
  said: z.string().optional(),
});
export type CoordinatorState = z.infer<typeof schema>;

export function readCoordinatorState(job: Job): CoordinatorState {
  const progress: unknown = job.progress;
  const kept =
    typeof progress === "object" && progress !== null && "migration" in progress ? progress.migration : {};
  const parsed = schema.safeParse(kept);
  return parsed.success ? parsed.data : schema.parse({});
}

/** Builds the progress: what `mtjobs job` shows, and the state. */
export function progressOf(
  phase: string,
  migration: CoordinatorState,
): Progress & { migration: CoordinatorState } {
  return { phase, runs: { done: 0, total: 0 }, rows: { done: 0 }, migration };
}

/** Keeps the newest check of each name, in result order. */
export function mergeChecks(...lists: readonly (readonly MigrateCheck[])[]): MigrateCheck[] {
  const byName = new Map(lists.flat().map((check) => [check.name, check]));
  return migrateCheckNames.flatMap((name) => byName.get(name) ?? []);
}
