import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { isIdText } from "../../../../shared/sqlite/run-id.ts";
import { durationPattern, parseDuration } from "../../../../shared/time/duration.ts";
import {
  runDetailSchema,
  runsPageSchema,
  sides,
  testDetailSchema,
  testsPageSchema,
} from "../../../contract/runs.ts";
import type { ServerContext } from "../server-context.ts";
import { addAreaRoute } from "./area-route.ts";

const pattern = z
  .string()
  .min(1)
  // Tried at each place of each name, by a statement for which writers wait: on names of 4,000 characters, 900 took 10 s.
  .max(300)
  .refine((text) => text.split(",").length <= 50, "has more than 50 alternatives")
  .optional()
  .meta({ description: "Megatest's patterns: with % a LIKE, else a GLOB; commas separate alternatives" });

const time = z
  .string()
  .max(40)
  .transform((text, context) => {
    const seconds = parseTime(text);
    if (seconds !== undefined) return seconds;
    context.addIssue("is neither seconds since 1970 nor a duration before now such as 30d");
    return z.NEVER;
  })
  .optional();

function parseTime(text: string): number | undefined {
  if (/^\d{1,11}$/.test(text)) return Number(text);
  return durationPattern.test(text) ? Math.floor((Date.now() - parseDuration(text)) / 1000) : undefined;
}

const cursor = z.string().min(1).max(64).optional().meta({ description: "`next` of the page before" });
const id = z.string().max(20).refine(isIdText, "is no id");

const limit = (usual: number, most: number) => z.coerce.number().int().min(1).max(most).default(usual);

const runsQuery = {
  target: pattern,
  runname: pattern,
  state: pattern,
  status: pattern,
  where: z.enum(sides).optional(),
  since: time.meta({
    description: "Begun then or later: seconds since 1970, or how long ago, such as 30d",
    type: "string",
  }),
  until: time.meta({ description: "Begun before; the same", type: "string" }),
  cursor,
  limit: limit(50, 200),
  count: z.stringbool().default(false).meta({
    description: "Also count all runs that match, which reads all runs once more",
  }),
};

const testsQuery = { testname: pattern, state: pattern, status: pattern, cursor, limit: limit(100, 500) };
const testQuery = {
  steps: cursor.meta({ description: "`steps.next` of the page before" }),
  data: cursor.meta({ description: "`data.next` of the page before" }),
  limit: limit(100, 500),
};

const bounded = "An answer has 300 kB at most: a page may have fewer than `limit`, and long texts are cut.";

/** The runs of an area in both databases. */
export const runRoutes =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const { areaPool } = context;
    addAreaRoute(app, context, {
      suffix: "/runs",
      summary: "Runs in megatest.db and completed-runs.db, newest first",
      description: bounded,
      query: runsQuery,
      schema: runsPageSchema,
      read: (path, { query }) => areaPool.runs(path, query),
    });
    addAreaRoute(app, context, {
      suffix: "/runs/:runId",
      summary: "One run, and its tests by state and status",
      params: { runId: id },
      schema: runDetailSchema,
      read: (path, { params }) => areaPool.run(path, params.runId),
    });
    addAreaRoute(app, context, {
      suffix: "/runs/:runId/tests",
      summary: "The tests of a run with their directories, by id",
      description: bounded,
      params: { runId: id },
      query: testsQuery,
      schema: testsPageSchema,
      read: (path, { params, query }) => areaPool.tests(path, params.runId, query),
    });
    addAreaRoute(app, context, {
      suffix: "/runs/:runId/tests/:testId",
      summary: "One test with its steps and its data, each by id and in pages",
      description: bounded,
      params: { runId: id, testId: id },
      query: testQuery,
      schema: testDetailSchema,
      read: (path, { params, query }) => areaPool.test(path, params, query),
    });
  };
