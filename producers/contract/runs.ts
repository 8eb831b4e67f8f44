import * as z from "zod";
import { runIdSchema } from "../../shared/contract/move-result.ts";
import { openObject } from "../../shared/document-schema.ts";

// The documents about runs, which the server sends. All are bounded: long texts are cut, long lists are paged.

/** The database in which a run counts. The cache counts as megatest.db. */
export const sides = ["megatest.db", "completed-runs.db"] as const;
const side = z.enum(sides);
export type SideName = z.infer<typeof side>;

const text = z.string().nullable();
/** Seconds since 1970; null if there is none, or if the value is no such time. */
const seconds = z.number().nullable();

/** Members of every row. */
const row = {
  id: runIdSchema,
  cut: z
    .array(z.string())
    .optional()
    .meta({ description: "The members whose text was longer and is cut; missing if there are none" }),
};

/** Where the next page begins. */
const next = z
  .string()
  .nullable()
  .meta({ description: "The value of `cursor` for the next page; null on the last" });

const browsedRunSchema = openObject({
  ...row,
  target: z.string().meta({ description: "Key values joined by `/`" }),
  runname: z.string(),
  state: text,
  status: text,
  owner: text,
  comment: text,
  begunAt: seconds,
  where: side,
});
export type BrowsedRun = z.infer<typeof browsedRunSchema>;

const source = z.enum(["cache", "megatest.db"]).meta({
  description: "What was read beside completed-runs.db: Megatest's cache on the homehost, else megatest.db",
});

export const runsPageSchema = openObject({
  area: z.string(),
  source,
  runs: z.array(browsedRunSchema),
  next,
  counts: z
    .record(side, z.number())
    .optional()
    .meta({ description: "The runs that match, on all pages; only if `count` was given" }),
}).meta({ id: "Runs" });
export type RunsPage = z.infer<typeof runsPageSchema>;

export const runDetailSchema = openObject({
  area: z.string(),
  source,
  run: openObject({
    ...browsedRunSchema.shape,
    keys: z.record(z.string(), z.string()).meta({ description: "The target's values by key" }),
    contour: text,
    lastUpdateAt: seconds,
  }),
  tests: openObject({
    total: z.number(),
    groups: z
      .array(openObject({ state: text, status: text, tests: z.number() }))
      .meta({ description: "Tests by state and status, the most frequent first; at most 100" }),
  }),
}).meta({ id: "Run" });
export type RunDetail = z.infer<typeof runDetailSchema>;

const browsedTestSchema = openObject({
  ...row,
  testname: text,
  itemPath: text,
  state: text,
  status: text,
  host: text,
  comment: text,
  begunAt: seconds,
  durationSeconds: z.number().nullable(),
  rundir: text.meta({ description: "Its directory; null if the record names none" }),
  shortdir: text.meta({ description: "The short path of its directory; null if the record names none" }),
  formerRundir: text.optional().meta({
    description: "The directory before its run was restored under another name",
  }),
  finalLog: text,
  attempt: z.number().nullable(),
});
export type BrowsedTest = z.infer<typeof browsedTestSchema>;

export const testsPageSchema = openObject({ tests: z.array(browsedTestSchema), next }).meta({ id: "Tests" });
export type TestsPage = z.infer<typeof testsPageSchema>;

const browsedStepSchema = openObject({
  ...row,
  stepname: text,
  state: text,
  status: text,
  begunAt: seconds,
  comment: text,
  logfile: text,
});
export type BrowsedStep = z.infer<typeof browsedStepSchema>;

/** An integer that a number cannot represent is text. */
const measured = z.union([z.number(), z.string()]).nullable();

const browsedDataSchema = openObject({
  ...row,
  category: text,
  variable: text,
  value: measured,
  expected: measured,
  tol: measured,
  units: text,
  comment: text,
  status: text,
  type: text,
});
export type BrowsedData = z.infer<typeof browsedDataSchema>;

export const testDetailSchema = openObject({
  area: z.string(),
  run: openObject({ id: runIdSchema, target: z.string(), runname: z.string(), where: side }),
  test: openObject({
    ...browsedTestSchema.shape,
    uname: text,
    cpuload: measured,
    diskfree: measured,
    archived: measured,
  }),
  steps: openObject({ rows: z.array(browsedStepSchema), next }),
  data: openObject({ rows: z.array(browsedDataSchema), next }),
}).meta({ id: "Test" });
export type TestDetail = z.infer<typeof testDetailSchema>;

export const queryAnswerSchema = openObject({
  area: z.string(),
  source,
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())).meta({
    description:
      "Values in the order of the columns: an integer beyond 2^53 - 1 is a string, a blob { base64 }",
  }),
  truncated: z.boolean().meta({ description: "There are more rows than an answer may have" }),
  cutValues: z.number().meta({ description: "How many values are cut, because they are long" }),
  cut: z
    .array(z.tuple([z.int(), z.int()]))
    .meta({ description: "Row and column, from 0, of each value that is cut; the first 1,000" }),
}).meta({ id: "QueryResult" });
export type QueryAnswer = z.infer<typeof queryAnswerSchema>;
