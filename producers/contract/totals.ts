import * as z from "zod";
import { runIdSchema } from "../../shared/contract/move-result.ts";
import { openObject } from "../../shared/document-schema.ts";
import { jobStates } from "./job-states.ts";
import { sides } from "./runs.ts";

// The documents about the whole farm, which the server sends. All are bounded.

const bySide = z.record(z.enum(sides), z.number());

const hours = z.array(z.number());
const hostHoursSchema = openObject({ host: z.string(), completed: hours, failed: hours, cancelled: hours });
export type HostHours = z.infer<typeof hostHoursSchema>;

/** Something that an operator should look at. */
const troubleSchema = openObject({
  kind: z.enum(["redis", "files", "host", "automatic", "area", "job"]),
  /** One sentence. */
  text: z.string(),
  area: z.string().optional(),
  host: z.string().optional(),
});
export type Trouble = z.infer<typeof troubleSchema>;

export const totalsSchema = openObject({
  areas: openObject({
    total: z.number(),
    unusable: z.number(),
    counted: z
      .number()
      .meta({ description: "Areas whose runs are in `runs`; fewer until all have been read" }),
    runs: bySide,
    bytes: bySide,
    savedBytes: z.number().meta({
      description: "By how much jobs made megatest.db smaller since the beginning; restores are subtracted",
    }),
  })
    .nullable()
    .meta({ description: "null if the areas' file system does not respond" }),
  jobs: openObject({
    from: z.number().meta({ description: "Beginning of the first of 24 hours, seconds since 1970" }),
    completed: z.number(),
    failed: z.number(),
    cancelled: z.number(),
    unfinished: z.number(),
    complete: z.boolean().meta({ description: "False if a queue may have dropped jobs of that time" }),
    hosts: z.array(hostHoursSchema).meta({ description: "Jobs that ended in each hour; at most 100 hosts" }),
  })
    .nullable()
    .meta({ description: "null if Redis is unreachable" }),
  wrong: openObject({
    total: z.number(),
    list: z.array(troubleSchema).meta({ description: "At most 100" }),
  }),
}).meta({ id: "Totals" });
export type Totals = z.infer<typeof totalsSchema>;

/** What a list of areas is sorted by; null if it is unknown, or was not read yet. */
const areaMeasureSchema = openObject({
  area: z.string(),
  bytes: z.record(z.string(), z.number()).meta({ description: "By file name, without a missing file" }),
  runs: bySide.nullable(),
  savedBytes: z.number().nullable(),
  oldestRunAt: z
    .number()
    .nullable()
    .meta({ description: "Of a run that could leave megatest.db, seconds since 1970" }),
  gainBytes: z
    .number()
    .nullable()
    .meta({ description: "What a reduce by `[reduce-records]`, or of runs older than 30 days, would free" }),
  gainRuns: z.number().nullable(),
  growthBytesPerWeek: z.number().nullable(),
  failed: z.array(z.string()).meta({ description: "Kinds of jobs of which the last one failed" }),
});
export type ListedMeasure = z.infer<typeof areaMeasureSchema>;

export const areaMeasuresSchema = openObject({
  areas: z.array(areaMeasureSchema),
  complete: z.boolean().meta({ description: "False if there are more areas than fit into 280 kB" }),
}).meta({ id: "AreaMeasures" });
export type AreaMeasures = z.infer<typeof areaMeasuresSchema>;

const foundRunSchema = openObject({
  area: z.string(),
  areaId: z.string().nullable(),
  id: runIdSchema,
  target: z.string(),
  runname: z.string(),
  begunAt: z.number().nullable(),
  where: z.enum(sides),
});
export type FoundRun = z.infer<typeof foundRunSchema>;

const foundJobSchema = openObject({
  jobId: z.string(),
  host: z.string(),
  job: z.string(),
  area: z.string().nullable(),
  state: z.enum(jobStates),
});
export type FoundJob = z.infer<typeof foundJobSchema>;

/** What was found of one kind; null if it could not be searched. */
const found = <T extends z.ZodType>(row: T) =>
  openObject({
    list: z.array(row),
    complete: z.boolean().meta({ description: "False if there may be more" }),
  }).nullable();

export const searchSchema = openObject({
  areas: found(openObject({ area: z.string(), areaId: z.string().nullable(), name: z.string().nullable() })),
  jobs: found(foundJobSchema),
  runs: openObject({
    list: z.array(foundRunSchema),
    complete: z.boolean(),
    searched: z.number().meta({ description: "Areas whose runs were searched" }),
    total: z.number().meta({ description: "Areas that there are to search" }),
    unreadable: z.number().meta({ description: "Areas among `searched` that could not be read" }),
  }).nullable(),
}).meta({ id: "Search" });
export type Search = z.infer<typeof searchSchema>;
