import { z } from "zod";
import { type JobState, jobStates } from "../../jobs/job-view.ts";

/** Schemas of the server's responses, for OpenAPI; `docs/interface.md` explains the members. */

/** Returns an object schema that allows further members, which later versions may add. */
function open<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object(shape).meta({ additionalProperties: true });
}

const counts = z.record(z.string(), z.number());
/** An object with unspecified members. */
const document = z.unknown().meta({ type: "object" });
const time = z.iso.datetime();

const jobState = z.enum(jobStates as [JobState, ...JobState[]]);

export const enqueuedSchema = open({
  jobId: z.string(),
  job: z.string(),
  area: z.string(),
  host: z.string().meta({ description: "The host whose queue has the job" }),
  duplicate: z
    .boolean()
    .meta({ description: "The same job was already enqueued and is unfinished; this is its id" }),
  served: z.boolean().meta({ description: "Whether that host's worker is alive" }),
}).meta({ id: "Enqueued" });

const errorSchema = open({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  details: document.optional(),
});

const jobViewSchema = open({
  jobId: z.string(),
  host: z.string(),
  job: z.string(),
  area: z.string().nullable(),
  state: jobState,
  requestedBy: z.string().nullable(),
  addedAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  attempts: z.int(),
  progress: open({
    phase: z.string(),
    runs: open({ done: z.number(), total: z.number() }),
    rows: open({ done: z.number() }),
  }).nullable(),
  data: z.unknown(),
  result: document
    .optional()
    .meta({ description: "Present once it has completed; see docs/interface.md, Results" }),
  error: errorSchema.optional(),
  forwarded: open({ host: z.string(), jobId: z.string() }).optional(),
}).meta({ id: "Job" });

export const jobSchema = open({ ...jobViewSchema.shape, log: z.array(z.string()) }).meta({ id: "JobReport" });
export const jobsSchema = open({ jobs: z.array(jobViewSchema) }).meta({ id: "Jobs" });

export const cancelledSchema = open({
  jobId: z.string(),
  host: z.string(),
  outcome: z.enum(["removed", "requested", "finished"]),
}).meta({ id: "Cancelled" });

export const areasSchema = open({
  areas: z.array(
    open({
      area: z.string(),
      areaId: z.string().nullable(),
      name: z.string().nullable(),
      homehost: z.string().nullable(),
      problem: z.string().nullable(),
    }),
  ),
  warnings: z.array(z.string()).meta({ description: "What could not be scanned" }),
}).meta({ id: "Areas" });

const automaticSchema = open({
  kind: z.enum(["schedule", "policy"]),
  name: z.string(),
  area: z.string(),
  host: z.string(),
  next: time.nullable(),
  ok: z.boolean().meta({ description: "False if its last job failed, or if a due job was not started" }),
  problem: z.string().nullable(),
  last: document.nullable(),
}).meta({ id: "Automatic" });

export const areaSchema = open({
  area: z.string(),
  areaId: z.string().nullable(),
  name: z.string(),
  homehost: z.string().nullable(),
  pinned: z.boolean(),
  bytes: counts,
  runs: z.number().nullable(),
  completedRuns: z.number().nullable(),
  cacheOnlyRuns: z.number().nullable(),
  unfinishedRuns: counts.nullable(),
  sides: z.record(z.string(), document.nullable()),
  servers: z.array(document),
  history: z.array(document),
  held: z.boolean().nullable(),
  lease: document.nullable(),
  migration: document.nullable().meta({ description: "The last migration, open or not" }),
  policies: z
    .array(open({ name: z.string(), text: z.string() }))
    .meta({ description: "Valid lines of [reduce-records]" }),
  paused: z.string().nullable().meta({ description: "The stop file that pauses the area's jobs" }),
  problems: z.array(z.string()),
  jobs: z
    .array(jobViewSchema)
    .nullable()
    .meta({ description: "Unfinished jobs; null if Redis is unreachable" }),
  automatic: z.array(automaticSchema).nullable(),
  queueProblem: errorSchema.nullable(),
}).meta({ id: "Area" });

export const historySchema = open({ history: z.array(document) }).meta({ id: "History" });

export const diagnosisSchema = open({
  area: z.string(),
  areaId: z.string().nullable(),
  ok: z.boolean().meta({ description: "False if a check found a fault" }),
  checks: z.array(
    open({
      name: z.string(),
      ok: z.boolean().nullable().meta({ description: "null: unknown, or for information only" }),
      verdict: z.string(),
      remedy: z.string().optional(),
      details: document.optional(),
    }),
  ),
}).meta({ id: "Diagnosis" });

export const hostsSchema = open({
  hosts: z.array(
    open({
      host: z.string(),
      queue: z.string(),
      counts,
      worker: open({
        alive: z.boolean(),
        seenAt: time,
        address: z.string().nullable(),
        version: z.string(),
      }).nullable(),
      drained: open({ at: time, by: z.string() })
        .nullable()
        .meta({ description: "Since when it takes no new areas" }),
    }),
  ),
  automatic: z.array(automaticSchema),
}).meta({ id: "Hosts" });

export const healthSchema = open({
  ok: z.boolean(),
  redis: z.enum(["up", "down"]),
  hosts: z.array(open({ host: z.string(), worker: z.enum(["alive", "gone"]) })),
}).meta({ id: "Health" });
