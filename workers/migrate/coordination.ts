import type { Job } from "bullmq";
import { z } from "zod";
import { type MigrateCheck, migrateCheckNames } from "../../shared/migrate-result.ts";
import type { Progress } from "../../shared/result.ts";

/**
 * Where the coordinating job stands between two of its looks. It is kept in the job's progress, which nobody but a worker
 * writes, and may be lost: the row in megatest.db tells how far the migration is.
 */

const checkSchema = z.object({
  name: z.enum(migrateCheckNames),
  ok: z.boolean().nullable(),
  detail: z.string(),
  facts: z.record(z.string(), z.unknown()).optional(),
});

const schema = z.object({
  /** Counts the steps asked for: each has a job id of its own. */
  round: z.number().int().default(0),
  /** The step that is waited for, and since when, ms since 1970. */
  step: z
    .object({
      name: z.enum(["check", "stop-servers", "close"]),
      host: z.string(),
      jobId: z.string(),
      since: z.number(),
    })
    .optional(),
  /** How often nothing had changed: the pauses grow with it. */
  idle: z.number().int().default(0),
  checks: z.array(z.custom<MigrateCheck>((value) => checkSchema.safeParse(value).success)).default([]),
  bytes: z.record(z.string(), z.number()).default({}),
  /** Name of the worker that the home to move from is known by. */
  fromHost: z.string().optional(),
  /** A take-over: when megatest.db last changed before it, ms since 1970. */
  syncedAt: z.number().optional(),
  /** Of the Redlock, while it stands for us. */
  lockValue: z.string().optional(),
  serversStopped: z.boolean().default(false),
  /** Servers that were ended for us. */
  stopped: z.array(z.object({ host: z.string(), pid: z.number() })).default([]),
  /** Since when the old home is to watch, ms since 1970. */
  watchSince: z.number().optional(),
  /** The reason for waiting that was told last. */
  said: z.string().optional(),
});
export type Coordination = z.infer<typeof schema>;

export function readCoordination(job: Job): Coordination {
  const progress: unknown = job.progress;
  const kept =
    typeof progress === "object" && progress !== null && "migration" in progress ? progress.migration : {};
  const parsed = schema.safeParse(kept);
  return parsed.success ? parsed.data : schema.parse({});
}

/** What `mtjobs job` shows of it, with what the next look needs. */
export function progressOf(phase: string, migration: Coordination): Progress & { migration: Coordination } {
  return { phase, runs: { done: 0, total: 0 }, rows: { done: 0 }, migration };
}

/** The newest of each name, in the order in which results list them. */
export function mergeChecks(...lists: readonly (readonly MigrateCheck[])[]): MigrateCheck[] {
  const byName = new Map(lists.flat().map((check) => [check.name, check]));
  return migrateCheckNames.flatMap((name) => byName.get(name) ?? []);
}
