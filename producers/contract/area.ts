import * as z from "zod";
import { historyLineSchema, megatestServerSchema } from "../../shared/contract/area-facts.ts";
import { migrationStates } from "../../shared/contract/migration-row.ts";
import { runIdSchema } from "../../shared/contract/move-result.ts";
import { openObject } from "../../shared/document-schema.ts";
import { errorSchema } from "../../shared/error-document.ts";
import { automaticSchema } from "./fleet.ts";
import { jobViewSchema } from "./job.ts";

// The documents about areas, as commands print, the library returns and the server sends them.

const counts = z.record(z.string(), z.number());
/** ISO 8601. From tables, where it may be wrong by any number of years. */
const time = z.string();

/** An area below the roots, according to its small files. */
const foundAreaSchema = openObject({
  /** Absolute, symbolic links kept, because users' caches are named after the path they use. */
  area: z.string(),
  /** Null before the first job. */
  areaId: z.string().nullable(),
  /** Null if unknown. */
  name: z.string().nullable(),
  homehost: z.string().nullable(),
  /** Why the area cannot be used; null if it can. */
  problem: z.string().nullable(),
});
export type FoundArea = z.infer<typeof foundAreaSchema>;

export const foundAreasSchema = openObject({
  areas: z.array(foundAreaSchema),
  warnings: z.array(z.string()).meta({ description: "What could not be scanned" }),
}).meta({ id: "Areas" });
export type FoundAreas = z.infer<typeof foundAreasSchema>;

/** A valid line of `[reduce-records]` or `[purge-records]`. */
export const policyLineSchema = openObject({
  name: z.string(),
  text: z.string(),
  request: z.record(z.string(), z.unknown()).meta({ description: "Members of its job's data" }),
  everyMs: z.number().meta({ description: "Minimum time between two of its jobs" }),
});

const namedRunSchema = openObject({
  id: runIdSchema,
  /** Key values joined by `/`. */
  target: z.string(),
  runname: z.string(),
  /** Null if the run has no valid start time. */
  begunAt: time.nullable(),
});
export type NamedRun = z.infer<typeof namedRunSchema>;

/** Summary of one database of an area. */
const sideSchema = openObject({
  /** Without hidden runs. */
  runs: z.number(),
  /** By start time; null without runs. */
  oldest: namedRunSchema.nullable(),
  newest: namedRunSchema.nullable(),
  /** What a vacuum would free, in bytes. */
  freeBytes: z.number(),
});
export type Side = z.infer<typeof sideSchema>;

/** The holder of the area according to megatest.db: a worker or an `--inline` job. */
const leaseSchema = openObject({
  token: z.number(),
  holder: z.string(),
  jobId: z.string().nullable(),
  /** For a migration, the start of its current step. */
  since: time,
  /** The lease ends then in any case. */
  expiresAt: time,
  renewedAt: time,
});
export type Lease = z.infer<typeof leaseSchema>;

/** The last migration of an area, from megatest.db. */
const migrationSchema = openObject({
  /** Names its directory in `.mtjobs/migration/`. */
  token: z.number(),
  jobId: z.string(),
  requestedBy: z.string(),
  kind: z.enum(["migration", "takeover"]),
  state: z.enum(migrationStates),
  /** False if nothing remains to be done. */
  open: z.boolean(),
  /** The old and the new content of `.homehost`. */
  from: z.string(),
  to: z.string(),
  fromHost: z.string(),
  toHost: z.string(),
  begunAt: time,
  changedAt: time,
  /** Why it was undone. */
  reason: z.string().nullable(),
});
export type MigrationFacts = z.infer<typeof migrationSchema>;

/** A summary of an area's databases; null means unreadable. */
const databaseFactsSchema = openObject({
  /** Runs in megatest.db, without hidden ones. */
  runs: z.number().nullable(),
  /** Runs in completed-runs.db; 0 if there is none. */
  completedRuns: z.number().nullable(),
  /** Runs only in this host's cache, not yet synced to megatest.db; 0 without a cache. */
  cacheOnlyRuns: z.number().nullable(),
  /**
   * Runs of completed-runs.db in other states than `moved`, by state: a job is moving them, or left them when it
   * died.
   */
  unfinishedRuns: counts.nullable(),
  /** By file name, as in `bytes`; missing files are omitted. */
  sides: z.record(z.string(), sideSchema.nullable()),
  /** Whether a job holds the area; null if unknown. */
  held: z.boolean().nullable(),
  /** The holder; null if there is none or it is unknown. */
  lease: leaseSchema.nullable(),
  migration: migrationSchema.nullable().meta({ description: "The last migration, open or not" }),
  /** Sentences on what could not be read. */
  problems: z.array(z.string()),
});
export type DatabaseFacts = z.infer<typeof databaseFactsSchema>;

/** The part of `status AREA` that needs no Redis. */
const areaStatusSchema = openObject({
  /** Absolute, as given. */
  area: z.string(),
  areaId: z.string().nullable(),
  name: z.string(),
  /** Address or host name; null if the area has none yet, or if it is unknown. */
  homehost: z.string().nullable(),
  /** Set in the config: the area must not be migrated. */
  pinned: z.boolean(),
  /** Whether this host is the homehost; null if unknown. */
  atHome: z.boolean().nullable(),
  homeReason: z.string(),
  /**
   * Directory of this user's cache on this host; null if there is none, or if it was refused (`cacheOnlyRuns` is
   * then null, too).
   */
  cache: z.string().nullable(),
  /** By file name; missing files are omitted. */
  bytes: counts,
  /** Megatest's servers that may be alive. */
  servers: z.array(megatestServerSchema),
  /** The last jobs, newest first. */
  history: z.array(historyLineSchema),
  /** Errors in other lines are in `problems`. */
  policies: z
    .array(openObject({ ...policyLineSchema.shape, job: z.literal("purge").optional() }))
    .meta({ description: "Valid lines of [reduce-records], and of [purge-records] with job" }),
  paused: z.string().nullable().meta({ description: "The stop file that pauses the area's jobs" }),
  ...databaseFactsSchema.shape,
});
export type AreaStatus = z.infer<typeof areaStatusSchema>;

/** The result of `status AREA`: the area according to its files, and its queue entries. */
export const areaStatusWithJobsSchema = openObject({
  ...areaStatusSchema.shape,
  jobs: z
    .array(jobViewSchema)
    .nullable()
    .meta({ description: "Unfinished jobs; null if Redis is unreachable" }),
  automatic: z.array(automaticSchema).nullable(),
  /** Why the queues are unreachable. */
  queueProblem: errorSchema.nullable(),
}).meta({ id: "Area" });
export type AreaStatusWithJobs = z.infer<typeof areaStatusWithJobsSchema>;

/** By file name; null if unknown. */
const bySide = openObject({
  "megatest.db": z.number().nullable(),
  "completed-runs.db": z.number().nullable(),
});
export type BySide = z.infer<typeof bySide>;

/** Sizes of an area before or after a job. */
const historyPointSchema = openObject({
  at: z.number().meta({ description: "Seconds since 1970" }),
  jobId: z.string(),
  job: z.string().nullable(),
  when: z.enum(["before", "after"]),
  bytes: bySide,
  runs: bySide.meta({
    description: "As far as the history tells: before a job those after it and those it moved",
  }),
});
export type HistoryPoint = z.infer<typeof historyPointSchema>;

const nullableText = z.string().nullable();
const pastMigrationSchema = openObject({
  at: z.number().meta({ description: "Seconds since 1970, at its end" }),
  jobId: z.string(),
  kind: nullableText.meta({ description: "migration or takeover" }),
  outcome: nullableText,
  from: nullableText,
  to: nullableText,
  fromHost: nullableText,
  toHost: nullableText,
  requestedBy: nullableText,
  reason: nullableText,
});
export type PastMigration = z.infer<typeof pastMigrationSchema>;

export const historySchema = openObject({
  history: z.array(historyLineSchema).meta({
    description: "The last lines, oldest first, at most 500; `cut: true` marks a long one that is cut",
  }),
  points: z.array(historyPointSchema).meta({
    description: "Sizes and runs from before the first job on, oldest first; of many jobs some",
  }),
  migrations: z.array(pastMigrationSchema).meta({ description: "The last migrations, oldest first" }),
  jobs: openObject({
    read: z.number().meta({ description: "Lines that were read" }),
    shown: z.number().meta({ description: "Jobs in `points`" }),
    complete: z.boolean().meta({ description: "False if the history is too long to be read whole" }),
  }),
  now: openObject({ at: z.number(), bytes: bySide }),
}).meta({ id: "History" });
export type AreaHistory = z.infer<typeof historySchema>;

const checkSchema = openObject({
  /** Stable; programs match on it. */
  name: z.string(),
  ok: z.boolean().nullable().meta({ description: "null: unknown, or for information only" }),
  /** One sentence. */
  verdict: z.string(),
  /** What to do about it, in one sentence. */
  remedy: z.string().optional(),
  /** Facts for programs, as plain JSON. */
  details: z.record(z.string(), z.unknown()).optional(),
});
export type Check = z.infer<typeof checkSchema>;

/** The result of `doctor AREA`. */
export const diagnosisSchema = openObject({
  /** Absolute, as given. */
  area: z.string(),
  areaId: z.string().nullable(),
  ok: z.boolean().meta({ description: "False if a check found a fault" }),
  checks: z.array(checkSchema),
}).meta({ id: "Diagnosis" });
export type Diagnosis = z.infer<typeof diagnosisSchema>;

/** What a reduce would free in an area, estimated from megatest.db; null means unreadable. */
const areaForecastSchema = openObject({
  area: z.string(),
  /** Which runs were asked for: by the caller, by the area's `[reduce-records]`, or those older than 30 days. */
  rule: z.enum(["options", "config", "default"]).nullable(),
  /** Size of megatest.db. */
  bytes: z.number().nullable(),
  /** Without hidden ones. */
  runs: z.number().nullable(),
  movable: openObject({
    runs: z.number(),
    tests: z.number(),
    /** Their share of the bytes in use, by tests. */
    bytes: z.number(),
    oldestAt: time.nullable(),
  }).nullable(),
  /** By the tests of runs that began in the last four weeks. */
  growthBytesPerWeek: z.number().nullable(),
  problem: z.string().nullable(),
});
export type AreaForecast = z.infer<typeof areaForecastSchema>;

const gainSchema = openObject({
  days: z.number().meta({ description: "Of runs that began longer ago than so many days" }),
  runs: z.number(),
  tests: z.number(),
  bytes: z.number(),
});

/** What a reduce would free in an area, by the age of the runs that it moves. */
export const gainByAgeSchema = openObject({
  area: z.string(),
  keep: z.number().meta({ description: "The newest runs of each target that stay" }),
  bytes: z.number().meta({ description: "Size of megatest.db" }),
  freeBytes: z.number().meta({ description: "What a vacuum alone would free" }),
  runs: z.number().meta({ description: "Runs in megatest.db, without hidden ones" }),
  gains: z.array(gainSchema).meta({ description: "By days, at most twelve; the last may be of no runs" }),
}).meta({ id: "GainByAge" });
export type GainByAge = z.infer<typeof gainByAgeSchema>;

/** The result of `forecast`, by gain. */
const forecastSchema = openObject({
  areas: z.array(areaForecastSchema),
  total: openObject({
    bytes: z.number(),
    movableRuns: z.number(),
    movableBytes: z.number(),
    growthBytesPerWeek: z.number(),
  }),
  warnings: z.array(z.string()),
});
export type Forecast = z.infer<typeof forecastSchema>;
