import * as z from "zod";
import { openObject } from "../document-schema.ts";
import { errorSchema } from "../error-document.ts";
import { timeUpSchema } from "./move-result.ts";

// Records in Redis beside the queues. Times are ISO 8601.

const time = z.iso.datetime();

const hostRecordSchema = openObject({
  host: z.string(),
  /** As in `.homehost`; null if only loopback. */
  address: z.string().nullable(),
  version: z.string(),
  pid: z.number(),
  user: z.string(),
  cacheRoot: z.string(),
  areas: z.array(z.string()),
  startedAt: time,
});
export type HostRecord = z.infer<typeof hostRecordSchema>;

export const hostStatusSchema = openObject({
  ...hostRecordSchema.shape,
  /** By the host's own clock. */
  seenAt: time,
  alive: z.boolean(),
});
export type HostStatus = z.infer<typeof hostStatusSchema>;

/** Who did something lasting, and when. */
const markSchema = openObject({
  /** By the requester's clock. */
  at: time,
  /** `user@host` */
  by: z.string(),
});

/** A drained host accepts no new areas. */
export const drainedSchema = markSchema;
export type Drained = z.infer<typeof drainedSchema>;

/** A paused schedule takes no turn. */
export const pausedSchema = markSchema;
export type Paused = z.infer<typeof pausedSchema>;

/** A source of automatic jobs: a line of `[reduce-records]`, or a schedule. */
export const originSchema = openObject({
  kind: z.enum(["schedule", "policy"]),
  name: z.string(),
  area: z.string(),
});
export type Origin = z.infer<typeof originSchema>;

export const outcomeSchema = openObject({
  ...originSchema.shape,
  host: z.string(),
  jobId: z.string(),
  /** A `deduplicationId`. */
  work: z.string(),
  startedAt: time,
  endedAt: time,
  /** null if unknown. */
  succeededAt: time.nullable(),
  /** Consecutive; cancelled jobs do not count. */
  failures: z.number(),
  error: errorSchema.nullable(),
  timeUp: timeUpSchema.shape.by.nullable(),
});
export type Outcome = z.infer<typeof outcomeSchema>;
