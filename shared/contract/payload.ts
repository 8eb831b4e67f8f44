import * as z from "zod";
import { JobsError } from "../errors.ts";
import { idDigits, isIdText } from "../sqlite/run-id.ts";
import { parseWindow, parseZone } from "../time/time-window.ts";
import { defaultGraceMs, longestGraceMs } from "./defaults.ts";
import { jobShape, milliseconds } from "./job-shape.ts";
import { migrateSchema, migrateStepSchema } from "./migrate-payload.ts";

// Plain JSON, version 1, written by any language. The same schemas validate the command line, the library and queues.

const pattern = z.string().min(1, "is empty: omit it, or write % for all").max(4096);

const whatAnIdIs = "an id is a whole number from -2^63 to 2^63 - 1, as a string beyond 2^53 - 1";

/** See `RunId`; a small one may also be a string. */
const runId = z
  .union(
    [
      z.int(whatAnIdIs),
      z.string().regex(idDigits, { error: whatAnIdIs, abort: true }).refine(isIdText, whatAnIdIs),
    ],
    whatAnIdIs,
  )
  .describe(whatAnIdIs);

/** A text that `parse` accepts; its error becomes the message. */
const parsed = (parse: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof JobsError)) throw error;
      context.addIssue({ code: "custom", message: `${error.message}: ${error.hint}` });
    }
  });

/** Patterns: with `%` a LIKE, else a GLOB; commas separate alternatives. */
export const selectorsSchema = z.strictObject({
  target: pattern.optional(),
  runname: pattern.optional(),
  /** Comma-separated, as Megatest's `-state`. */
  state: pattern.optional(),
  status: pattern.optional(),
  /** Milliseconds since the last activity. */
  age: milliseconds.optional(),
  /** Leave the newest N per target. */
  keep: z.number().int().nonnegative().optional(),
  runId: z.array(runId).min(1).max(100_000).optional(),
});
export type Selectors = z.infer<typeof selectorsSchema>;

/** Groups jobs; has no effect on the work. */
const origin = z.string().min(1).max(200).optional();

const workShape = {
  ...jobShape,
  dryRun: z.boolean().default(false),
  /** Milliseconds; an unfinished test without activity for longer does not hold its run back. */
  deadAfter: milliseconds.optional(),
  /** `22:00-06:00` */
  between: parsed((text) => parseWindow(text)).optional(),
  /** Milliseconds after which no batch starts. */
  maxTime: milliseconds.positive().optional(),
  /** Of `between`; default the worker's. */
  tz: parsed((text) => parseZone(text)).optional(),
  /** Line of `[reduce-records]`; the job is cancelled if it has changed. */
  policy: origin,
  schedule: origin,
};

const moveShape = {
  ...workShape,
  ...selectorsSchema.shape,
  includeLocked: z.boolean().default(false),
  compact: z.enum(["auto", "always", "never"]).default("auto"),
};

export const reduceSchema = z.strictObject(moveShape);
export type ReducePayload = z.infer<typeof reduceSchema>;

export const restoreSchema = z.strictObject({
  ...moveShape,
  /** What to do with a run whose target and name were registered again. */
  onConflict: z.enum(["refuse", "rename"]).default("refuse"),
  /** Set `last_update` of restored rows to now, for tools that poll by it. */
  touch: z.boolean().default(false),
  /** Milliseconds that completed-runs.db keeps a restored run for readers. */
  grace: milliseconds.max(longestGraceMs).default(defaultGraceMs),
});
export type RestorePayload = z.infer<typeof restoreSchema>;

/** As the worker's host mounts it. */
const absolutePath = z
  .string()
  .startsWith("/", "must be an absolute path")
  .max(4096)
  .refine((path) => !path.includes("\0"), "must not contain a NUL");

export const purgeSchema = z.strictObject({
  ...moveShape,
  /** Directory for an export of each run; false: no export is made. */
  export: z.union([absolutePath, z.literal(false)], "must be a directory's absolute path, or false"),
  /** A person has confirmed that runs may go without an export. */
  confirmed: z.boolean().default(false),
});
export type PurgePayload = z.infer<typeof purgeSchema>;

export const importSchema = z.strictObject({
  ...workShape,
  /** A file that a purge exported. */
  file: absolutePath,
  /** Also an export of another area, if the target keys are the same. */
  anyArea: z.boolean().default(false),
});
export type ImportPayload = z.infer<typeof importSchema>;

const moveSchemas = {
  reduce: reduceSchema,
  restore: restoreSchema,
  purge: purgeSchema,
  import: importSchema,
} as const;
export type MoveName = keyof typeof moveSchemas;
export type MovePayloads = { [Name in MoveName]: z.infer<(typeof moveSchemas)[Name]> };
export type MovePayload = MovePayloads[MoveName];

export const payloadSchemas = {
  ...moveSchemas,
  migrate: migrateSchema,
  "migrate-step": migrateStepSchema,
} as const;
export type JobName = keyof typeof payloadSchemas;
export type JobPayloads = { [Name in JobName]: z.infer<(typeof payloadSchemas)[Name]> };
export type JobPayload = JobPayloads[JobName];
const jobNames = Object.keys(payloadSchemas) as JobName[];

const selectorKeys = Object.keys(selectorsSchema.shape) as (keyof Selectors)[];

function isMoveName(name: string): name is MoveName {
  return name in moveSchemas;
}

/** Validates a job's data; each message names the invalid member. */
export function parsePayload<Name extends JobName>(name: Name, data: unknown): JobPayloads[Name];
export function parsePayload(name: string, data: unknown): JobPayload;
export function parsePayload(name: string, data: unknown): JobPayload {
  if (!(jobNames as string[]).includes(name)) {
    throw new JobsError("bad-payload", `unknown job name "${name}"`, {
      hint: `the job names are ${jobNames.join(", ")}`,
    });
  }
  const parsed = payloadSchemas[name as JobName].safeParse(data);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join(".") || "data"}: ${issue.message}`,
    );
    throw new JobsError("bad-payload", `${name}: ${problems.join("; ")}`, {
      hint: "see the job's data in docs/interface.md",
      details: { problems },
    });
  }
  if (isMoveName(name)) requireSelector(name, parsed.data as MovePayload);
  if (name === "purge") requireConfirmation(parsed.data as PurgePayload);
  return parsed.data;
}

function requireConfirmation({ export: directory, confirmed, dryRun }: PurgePayload): void {
  if (directory !== false || confirmed || dryRun) return;
  throw new JobsError("unconfirmed", "purge: runs would be deleted without an export", {
    hint: 'name a directory for the exports, or set "confirmed" if the runs may be lost',
  });
}

function requireSelector(name: MoveName, payload: MovePayload): void {
  if ("file" in payload || selectorKeys.some((key) => payload[key] !== undefined)) return;
  throw new JobsError("usage", `${name}: no selector given`, { hint: "use --runname % to select every run" });
}
