import { z } from "zod";
import { homeName } from "../home-name.ts";

/** The data of a migration's jobs, plain JSON, version 1. */

const milliseconds = z.number().int().nonnegative();
const hostName = z.string().regex(homeName, "must be a host name or an address");
const base = {
  v: z.literal(1),
  /** Absolute path of the area, as the worker's host mounts it. */
  area: z.string().startsWith("/", "must be an absolute path").max(4096),
  /** `user@host`, for the history. */
  requestedBy: z.string().max(512).default("unknown"),
};

/** What `migrate` takes; it runs in the queue of the host `to`. */
export const migrateSchema = z
  .strictObject({
    ...base,
    dryRun: z.boolean().default(false),
    /** Name of the host that becomes the homehost. */
    to: hostName,
    /** Host name or address that the caller takes for the homehost; another one is refused. */
    from: hostName.optional(),
    /** Milliseconds without a sign of life that make an area quiet. */
    quietFor: milliseconds.default(30 * 60_000),
    whenQuiet: z.boolean().default(false),
    /** Milliseconds from when the job was added, after which `whenQuiet` gives up. */
    deadline: milliseconds.default(12 * 3_600_000),
    stopServers: z.boolean().default(false),
    takeover: z.boolean().default(false),
    /** A person has confirmed that the old home is off. */
    confirmed: z.boolean().default(false),
    /** Also where another migration was less than 10 minutes ago. */
    now: z.boolean().default(false),
    /** Name of the schedule that asked for it. */
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

/** Who asks for a step, and is waked when it has ended. */
const asked = {
  /** The id of the job `migrate`. */
  migration: z.string().min(1).max(512),
  /** The host in whose queue that job is: the one that becomes the homehost. */
  toHost: hostName,
};

/** Servers that a step `stop-servers` has ended: their logs look alive for some seconds more. */
const stopped = z
  .array(z.strictObject({ host: z.string().min(1), pid: z.number().int().positive() }))
  .max(100)
  .optional();

/** What one host does for a migration that another one coordinates. All else is read from the row in megatest.db. */
export const migrateStepSchema = z.discriminatedUnion("step", [
  z.strictObject({
    ...base,
    step: z.literal("check"),
    ...asked,
    quietFor: milliseconds,
    /** The coordinating host's, to see whether the two fit. */
    version: z.string().min(1),
    stopped,
  }),
  z.strictObject({
    ...base,
    step: z.literal("stop-servers"),
    ...asked,
    /** Process ids on this host, as their logs name them. */
    pids: z.array(z.number().int().positive()).min(1).max(100),
  }),
  z.strictObject({
    ...base,
    step: z.literal("close"),
    ...asked,
    quietFor: milliseconds,
    /** What `.homehost` is to hold. */
    toHome: hostName,
    /** What it holds now. */
    fromHome: hostName,
    /** The value of the Redlock that the coordinating worker has taken, to be adopted. */
    lockValue: z.string().min(1),
    stopped,
  }),
  z.strictObject({
    ...base,
    step: z.literal("tend"),
    /** The id of a job `migrate` that knows that nobody is at work on it: its lease need not run out. */
    givenUp: z.string().min(1).max(512).optional(),
  }),
]);
export type MigrateStepPayload = z.infer<typeof migrateStepSchema>;
export type MigrateStepName = MigrateStepPayload["step"];
