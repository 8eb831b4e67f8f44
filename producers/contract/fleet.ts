import * as z from "zod";
import {
  drainedSchema,
  type HostStatus,
  hostStatusSchema,
  originSchema,
  outcomeSchema,
  pausedSchema,
} from "../../shared/contract/queue-records.ts";
import { openObject } from "../../shared/document-schema.ts";
import type { JobView } from "./job.ts";
import { roles } from "./roles.ts";

// The documents about hosts, as commands print, the library returns and the server sends them.

/** A schedule, or a line of `[reduce-records]` that has requested a job, with the outcome of its jobs. */
export const automaticSchema = openObject({
  ...originSchema.shape,
  host: z.string(),
  /** When a schedule is next due; null for a policy, which workers check every few minutes. */
  next: z.iso.datetime().nullable(),
  paused: pausedSchema
    .nullable()
    .meta({ description: "Since when a schedule takes no turn; it is not reported as failing then" }),
  ok: z.boolean().meta({ description: "False if its last job failed, or if a due job was not started" }),
  /** One sentence if `ok` is false. */
  problem: z.string().nullable(),
  /** How its last job ended; null if there was none. */
  last: outcomeSchema.omit({ kind: true, name: true, area: true, work: true }).nullable(),
}).meta({ id: "Automatic" });
export type AutomaticStatus = z.infer<typeof automaticSchema>;

const queueStatusSchema = openObject({
  host: z.string(),
  queue: z.string(),
  /** Jobs by state. */
  counts: z.record(z.string(), z.number()),
  /** The last report of its worker; null if there never was one. `alive` says whether it is running now. */
  worker: hostStatusSchema.nullable(),
  drained: drainedSchema.nullable().meta({ description: "Since when it takes no new areas" }),
});
export type QueueStatus = z.infer<typeof queueStatusSchema>;

/** The result of `status` without AREA. */
export const fleetStatusSchema = openObject({
  hosts: z.array(queueStatusSchema),
  /** Schedules, and lines of `[reduce-records]` that have requested a job. */
  automatic: z.array(automaticSchema),
}).meta({ id: "Hosts" });
export type FleetStatus = z.infer<typeof fleetStatusSchema>;

/** What the server sends to the page on every change: without what changes all the time, or may be long. */
export interface FleetEvent {
  hosts: (Omit<QueueStatus, "worker"> & { worker: Omit<HostStatus, "seenAt"> | null })[];
  /** All schedules, and failing lines of `[reduce-records]`. */
  automatic: AutomaticStatus[];
  /** Unfinished jobs. */
  jobs: Omit<JobView, "data">[];
}

export const whoAmISchema = openObject({
  user: z.string().meta({ description: "As the history names the caller" }),
  token: z.string().nullable().meta({ description: "The token's name; null if the server has none" }),
  role: z.enum(roles),
  boardWrite: z.boolean().meta({ description: "Whether the caller may change queues on the board" }),
}).meta({ id: "WhoAmI" });
export type WhoAmI = z.infer<typeof whoAmISchema>;

export const healthSchema = openObject({
  ok: z.boolean(),
  redis: z.enum(["up", "down"]),
  hosts: z.array(openObject({ host: z.string(), worker: z.enum(["alive", "gone"]) })),
}).meta({ id: "Health" });
export type Health = z.infer<typeof healthSchema>;
