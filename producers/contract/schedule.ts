import * as z from "zod";
import type { JobPayload } from "../../shared/contract/payload.ts";
import { pausedSchema } from "../../shared/contract/queue-records.ts";
import { openEnum, openObject } from "../../shared/document-schema.ts";
import type { ErrorCode } from "../../shared/error-codes.ts";
import { errorSchema } from "../../shared/error-document.ts";
import { policyLineSchema } from "./area.ts";
import { automaticSchema } from "./fleet.ts";

// The documents about schedules and drains, as commands print, the library returns and the server sends them.

export const scheduleSchema = openObject({
  name: z.string(),
  host: z.string().meta({ description: "The host whose queue has the schedule" }),
  job: z.string(),
  area: z.string(),
  cron: z
    .string()
    .nullable()
    .meta({ description: "A pattern in time zone `tz`; null if it has an interval" }),
  tz: z.string().nullable(),
  every: z.number().nullable().meta({ description: "Milliseconds; null if it has a pattern" }),
  next: z.iso.datetime().nullable().meta({ description: "When it is next due" }),
  overdue: z.boolean().meta({
    description: "A due job was not started for over a minute: no worker serves the host, or it is busy",
  }),
  paused: pausedSchema.nullable().meta({
    description: "Since when, and by whom, it takes no turn; null if it is not paused",
  }),
  requestedBy: z.string(),
  data: (z.record(z.string(), z.unknown()) as unknown as z.ZodType<JobPayload>).meta({
    description: "The data of each job",
  }),
}).meta({ id: "Schedule" });
export type Schedule = z.infer<typeof scheduleSchema>;

/** A schedule with the outcome of its jobs. */
export const scheduleStatusSchema = openObject({
  ...scheduleSchema.shape,
  ...automaticSchema.pick({ ok: true, problem: true, last: true }).shape,
}).meta({ id: "ScheduleStatus" });
export type ScheduleStatus = z.infer<typeof scheduleStatusSchema>;

const listedPolicySchema = openObject({
  area: z.string(),
  homehost: z.string().nullable(),
  job: z.enum(["reduce", "purge"]),
  ...policyLineSchema.shape,
});
export type ListedPolicy = z.infer<typeof listedPolicySchema>;

export const policiesSchema = openObject({
  policies: z.array(listedPolicySchema),
  problems: z.array(z.string()).meta({ description: "Lines that are not valid, at most 20" }),
  complete: z.boolean().meta({ description: "False if there are more lines than fit into 240 kB" }),
}).meta({ id: "Policies" });
export type Policies = z.infer<typeof policiesSchema>;

const drainedAreaSchema = openObject({ area: z.string(), to: z.string(), jobId: z.string() });
/** An area that is migrating or has migrated. */
export type DrainedArea = z.infer<typeof drainedAreaSchema>;

const stayedAreaSchema = openObject({
  ...drainedAreaSchema.partial().shape,
  area: z.string(),
  code: openEnum<ErrorCode>(),
  message: z.string(),
});
export type StayedArea = z.infer<typeof stayedAreaSchema>;

export const drainResultSchema = openObject({
  host: z.string().meta({ description: "The host's queue name" }),
  dryRun: z.boolean(),
  drained: z.boolean().meta({ description: "Whether it takes no new areas from now on; false in a dry run" }),
  moved: z.array(drainedAreaSchema),
  stayed: z.array(stayedAreaSchema),
  enqueued: z.array(drainedAreaSchema).meta({ description: "Requested, but not followed to the end" }),
  warnings: z.array(z.string()),
  error: errorSchema.optional().meta({ description: "Why following ended before the migrations did" }),
}).meta({ id: "DrainResult" });
export type DrainResult = z.infer<typeof drainResultSchema>;

export const undrainedSchema = openObject({
  host: z.string(),
  drained: z.literal(false),
  was: z.boolean().meta({ description: "Whether it had been drained" }),
}).meta({ id: "Undrained" });
export type Undrained = z.infer<typeof undrainedSchema>;
