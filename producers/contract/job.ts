import * as z from "zod";
import { migrateResultSchema } from "../../shared/contract/migrate-result.ts";
import { moveResultSchema, progressSchema } from "../../shared/contract/move-result.ts";
import type { JobName } from "../../shared/contract/payload.ts";
import { openEnum, openObject } from "../../shared/document-schema.ts";
import { errorSchema } from "../../shared/error-document.ts";
import { jobStates } from "./job-states.ts";

// The documents about jobs, as commands print, the library returns and the server sends them.

const time = z.iso.datetime();

export const enqueuedSchema = openObject({
  jobId: z.string(),
  job: openEnum<JobName>(),
  area: z.string(),
  host: z.string().meta({ description: "The host whose queue has the job" }),
  duplicate: z
    .boolean()
    .meta({ description: "The same job was already enqueued and is unfinished; this is its id" }),
  served: z.boolean().meta({ description: "Whether that host's worker is alive" }),
}).meta({ id: "Enqueued" });
export type Enqueued = z.infer<typeof enqueuedSchema>;

export const retriedSchema = openObject({
  ...enqueuedSchema.shape,
  retryOf: z.string().meta({ description: "The failed job" }),
}).meta({ id: "Retried" });
export type Retried = z.infer<typeof retriedSchema>;

const jobResultSchema = z.union([moveResultSchema, migrateResultSchema]);
export type JobResult = z.infer<typeof jobResultSchema>;

/** Times are null if not reached. */
export const jobViewSchema = openObject({
  jobId: z.string(),
  host: z.string(),
  job: z.string(),
  area: z.string().nullable(),
  state: z.enum(jobStates),
  requestedBy: z.string().nullable(),
  addedAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  /** Attempts started. */
  attempts: z.int(),
  worker: z.string().nullable().meta({ description: "`pid@host` of the worker that took it last" }),
  progress: progressSchema.nullable(),
  data: z.unknown(),
  result: jobResultSchema
    .optional()
    .meta({ description: "Present once it has completed; see docs/interface.md, Results" }),
  error: errorSchema.optional(),
  forwarded: openObject({ host: z.string(), jobId: z.string() }).optional(),
}).meta({ id: "Job" });
export type JobView = z.infer<typeof jobViewSchema>;

export const jobReportSchema = openObject({ ...jobViewSchema.shape, log: z.array(z.string()) }).meta({
  id: "JobReport",
});
export type JobReport = z.infer<typeof jobReportSchema>;

export const jobsSchema = openObject({ jobs: z.array(jobViewSchema) }).meta({ id: "Jobs" });

/** A job for a list: without its data and result, which may name 100,000 runs. */
export const jobSummarySchema = openObject({
  ...jobViewSchema.omit({ data: true, result: true, error: true }).shape,
  dryRun: z.boolean(),
  step: z.string().nullable().meta({ description: "Which step of a migration it is" }),
  /** Once it has completed; null for a migration. */
  movedRuns: z.number().nullable().meta({ description: "Runs moved; of a dry run, those that would be" }),
  outcome: z.string().nullable().meta({ description: "How a migration ended" }),
  warnings: z.int().meta({ description: "Number of warnings in its result" }),
  error: errorSchema.pick({ code: true, message: true }).optional(),
}).meta({ id: "JobSummary" });
export type JobSummary = z.infer<typeof jobSummarySchema>;

export const jobSummariesSchema = openObject({ jobs: z.array(jobSummarySchema) }).meta({
  id: "JobSummaries",
});

/** What following a job shows between two polls. */
export const followedJobSchema = openObject({
  ...jobViewSchema.pick({ jobId: true, host: true, state: true, startedAt: true, finishedAt: true }).shape,
  progress: progressSchema.nullable(),
  log: z.array(z.string()).meta({ description: "The lines of its log after the first `from`" }),
  /** For the next request. */
  from: z.int().meta({ description: "Lines of its log, including these" }),
  /** null: its worker has not said why, or it does not wait. */
  waitsFor: errorSchema.nullable().meta({ description: "Why its worker delayed it" }),
  served: z.boolean().meta({ description: "Whether the host's worker is alive" }),
  resultText: z.string().nullable().meta({ description: "Its result in words, as `mtjobs job` prints it" }),
}).meta({ id: "FollowedJob" });
export type FollowedJob = z.infer<typeof followedJobSchema>;

export const cancelledSchema = openObject({
  jobId: z.string(),
  host: z.string(),
  /** `ended`: it had begun, and waited to go on; what it moved stays moved. */
  outcome: z.enum(["removed", "ended", "requested", "finished"]),
}).meta({ id: "Cancelled" });
export type Cancelled = z.infer<typeof cancelledSchema>;
