import * as z from "zod";
import { openObject } from "../document-schema.ts";
import { recordTables } from "./names.ts";

// The JSON of `--wait --json` and `--inline --json`.

/** See `RunId`. */
export const runIdSchema = z.union([z.number(), z.string()]);

const runLabelSchema = openObject({
  id: runIdSchema,
  /** Key values joined by `/`. */
  target: z.string(),
  runname: z.string(),
});
export type RunLabel = z.infer<typeof runLabelSchema>;

const movedRunSchema = openObject({
  ...runLabelSchema.shape,
  /** Its former id, if another run has that now. */
  previousId: runIdSchema.optional(),
  /** Its former name, if that was registered again. */
  previousRunname: z.string().optional(),
  /** The file that a purged run was exported to, or that an imported run came from. */
  exportFile: z.string().optional(),
});
export type MovedRun = z.infer<typeof movedRunSchema>;

/** Why a run that matches the patterns was skipped. */
const skipReason = z.enum(["in-flight", "recent", "kept", "locked", "conflict", "changed"]);
export type SkipReason = z.infer<typeof skipReason>;

const skippedRunSchema = openObject({ ...runLabelSchema.shape, reason: skipReason });
export type SkippedRun = z.infer<typeof skippedRunSchema>;

/** Rows by table. */
const movedRows = z.record(z.enum(["runs", ...recordTables]), z.number());

/** Why a job ended before it processed all chosen runs. */
export const timeUpSchema = openObject({
  by: z.enum(["max-time", "between"]),
  /** Chosen runs left for the next job. */
  left: z.number(),
});
export type TimeUp = z.infer<typeof timeUpSchema>;

export const moveResultSchema = openObject({
  jobId: z.string(),
  /** `repair` finishes what other jobs left, and moves nothing new. */
  job: z.enum(["reduce", "restore", "purge", "import", "repair"]),
  area: z.string(),
  /** null if there is none and none may be created (a dry run). */
  areaId: z.string().nullable(),
  host: z.string(),
  state: z.enum(["completed", "failed", "cancelled"]),
  dryRun: z.boolean(),
  /** Rows moved by table, including `runs`. */
  moved: movedRows,
  /** Rows of an interrupted job of another kind. */
  finished: openObject({
    reduce: movedRows.optional(),
    restore: movedRows.optional(),
    purge: movedRows.optional(),
    import: movedRows.optional(),
  }).optional(),
  /** Runs of an interrupted job moved back completely. */
  undone: openObject({
    reduce: z.number().optional(),
    restore: z.number().optional(),
    import: z.number().optional(),
  }).optional(),
  /** At most `listLimit`; see `truncated`. */
  runs: z.array(movedRunSchema),
  skipped: z.array(skippedRunSchema),
  skippedCounts: z.partialRecord(skipReason, z.number()),
  /** Set if time ran out; finished work is kept. */
  timeUp: timeUpSchema.optional(),
  truncated: z.literal(true).optional(),
  /** Rows changed in two places, whose losing version was kept (`mtjobs_superseded`). */
  superseded: z.number(),
  /** Older versions also kept, of rows not synced yet; present if not 0. */
  unsynced: z.number().optional(),
  /** Late rows merged into runs moved earlier. */
  late: z.number(),
  /** By file name: `megatest.db`, `completed-runs.db`, `cache/megatest.db`, `cache/megatest_ref.db`. */
  bytes: z.record(z.string(), openObject({ before: z.number(), after: z.number() })),
  /** Sentences for the operator, at most `listLimit`. */
  warnings: z.array(z.string()),
  /** Of a dry run, except of an import: what the runs take of the database that they would leave, by their share of its tests. */
  estimatedBytes: z.number().optional(),
  elapsedMs: z.number(),
}).meta({ id: "MoveResult" });
export type MoveResult = z.infer<typeof moveResultSchema>;

export const progressSchema = openObject({
  phase: z.string(),
  runs: openObject({ done: z.number(), total: z.number() }),
  rows: openObject({ done: z.number(), total: z.number().optional() }),
});
export type Progress = z.infer<typeof progressSchema>;
