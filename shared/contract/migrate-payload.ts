import * as z from "zod";
import { homeName } from "../settings/home-name.ts";
import { jobShape, milliseconds } from "./job-shape.ts";

// The data of a migration's jobs: plain JSON, version 1.

const hostName = z.string().regex(homeName, "must be a host name or an address");

/** Runs in the queue of the host `to`. */
export const migrateSchema = z
  .strictObject({
    ...jobShape,
    dryRun: z.boolean().default(false),
    /** Name of the new homehost. */
    to: hostName,
    /** Name or address of the expected homehost; any other is refused. */
    from: hostName.optional(),
    /** Milliseconds without activity that make an area quiet. */
    quietFor: milliseconds.default(30 * 60_000),
    /** Waits until the area is quiet. */
    whenQuiet: z.boolean().default(false),
    /** When `whenQuiet` gives up, ms after adding the job. */
    deadline: milliseconds.default(12 * 3_600_000),
    /** Stops Megatest's servers. */
    stopServers: z.boolean().default(false),
    /** The homehost is gone and cannot be contacted. */
    takeover: z.boolean().default(false),
    /** A person has confirmed that the old home is off. */
    confirmed: z.boolean().default(false),
    /** Migrates even within 10 minutes of the last migration. */
    now: z.boolean().default(false),
    /** Name of the schedule that requests it; `status` reports the outcome of its jobs under that name. */
    schedule: z.string().min(1).max(200).optional(),
  })
  .refine(({ takeover, whenQuiet }) => !(takeover && whenQuiet), {
    path: ["takeover"],
    message: "cannot be combined with whenQuiet",
  })
  .refine(({ takeover, confirmed }) => takeover || !confirmed, {
    path: ["confirmed"],
    message: "is only valid with takeover",
  });
export type MigratePayload = z.infer<typeof migrateSchema>;

/** The job to wake when the step ends. */
const waiter = {
  /** The id of the job `migrate`. */
  migration: z.string().min(1).max(512),
  /** The new homehost, whose queue has that job. */
  toHost: hostName,
};

/** Servers just stopped, whose logs still look recent. */
const stopped = z
  .array(z.strictObject({ host: z.string().min(1), pid: z.number().int().positive() }))
  .max(100)
  .optional();

/** A step of one host for a migration that another host coordinates. */
export const migrateStepSchema = z.discriminatedUnion("step", [
  z.strictObject({
    ...jobShape,
    step: z.literal("check"),
    ...waiter,
    quietFor: milliseconds,
    /** For a compatibility check. */
    version: z.string().min(1),
    stopped,
  }),
  z.strictObject({
    ...jobShape,
    step: z.literal("stop-servers"),
    ...waiter,
    /** Process ids on this host, from their logs' names. */
    pids: z.array(z.number().int().positive()).min(1).max(100),
  }),
  z.strictObject({
    ...jobShape,
    step: z.literal("close"),
    ...waiter,
    quietFor: milliseconds,
    /** What `.homehost` will hold. */
    toHome: hostName,
    fromHome: hostName,
    /** The coordinator's Redlock, to be adopted. */
    lockValue: z.string().min(1),
    stopped,
  }),
  z.strictObject({
    ...jobShape,
    step: z.literal("tend"),
    /** Id of an abandoned job `migrate`: its lease need not expire first. */
    givenUp: z.string().min(1).max(512).optional(),
  }),
]);
export type MigrateStepPayload = z.infer<typeof migrateStepSchema>;
export type MigrateStepName = MigrateStepPayload["step"];
