import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { JobsError } from "../../../../shared/errors.ts";
import { durationPattern, parseDuration } from "../../../../shared/time/duration.ts";
import { type QueryAnswer, queryAnswerSchema } from "../../../contract/runs.ts";
import { jsonValue, rowsCsv } from "../../../format/rows.ts";
import { type BoundedRows, type RowLimits, readBoundedRows } from "../../../query/bounded-query.ts";
import type { QueryLimits } from "../../../query/query-messages.ts";
import { type RunningQuery, startQuery } from "../../../query/start-query.ts";
import { problems } from "../jobs.ts";
import type { ServerContext } from "../server-context.ts";
import { areaId, path, pathOfArea } from "./area-route.ts";

/** Milliseconds: a query holds locks for which Megatest's writers wait, so less than on the command line. */
const usualTime = 10_000;
const longestTime = 30_000;
/** Maximum number of queries at once; each is a process. */
const mostQueries = 4;
const limits: QueryLimits = { memoryBytes: 400 * 1024 * 1024, cell: 16_000, rowBytes: 50_000 };
/** Maximum bytes of the rows. A table for a page is small; a file may be larger. */
const mostBytes = { json: 180_000, csv: 2_000_000 };

/** Places of values that are cut, in an answer. */
const mostCutPlaces = 1000;

const bodySchema = z
  .strictObject({
    sql: z.string().min(1).max(20_000),
    fullDb: z.boolean().default(true).meta({ description: "Also read completed-runs.db; default true" }),
    timeout: z
      .union([z.int().min(1), z.string().max(32).regex(durationPattern, "is not a duration such as 5s")])
      .default(usualTime)
      .meta({ description: "Milliseconds or a duration, at most 30s; default 10s" }),
    rows: z
      .int()
      .min(1)
      .max(10_000)
      .default(1000)
      .meta({ description: "Maximum number of rows; default 1000" }),
    format: z.enum(["json", "csv"]).optional().meta({
      description: "Default: CSV if Accept names text/csv and not application/json",
    }),
  })
  .meta({ id: "Query" });
type Body = z.output<typeof bodySchema>;

/** `POST /areas/:areaId/query`, and the same by path. */
export const queryRoutes =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    let running = 0;

    async function answer(
      request: FastifyRequest,
      reply: FastifyReply,
      area: string,
    ): Promise<QueryAnswer | string> {
      if (running >= mostQueries) {
        throw new JobsError("busy", `${running} queries are running`, { hint: "try again later" });
      }
      running++;
      try {
        return await answerQuery(context, request, reply, area);
      } finally {
        running--;
      }
    }

    const described = {
      tags: ["areas"],
      description:
        "One SELECT over megatest.db (or its cache) and completed-runs.db, as mtjobs query --full-db. Needs the role operate: while it runs, Megatest's writers may have to wait. The answer has 300 kB at most as JSON, 2 MB as CSV.",
      body: bodySchema,
      response: {
        200: {
          description: "The rows",
          content: {
            "application/json": { schema: queryAnswerSchema },
            "text/csv": { schema: z.string() },
          },
        },
        ...problems(400, 403, 404, 504),
      },
    };
    app.post(
      "/areas/:areaId/query",
      { schema: { ...described, summary: "Run a read-only SQL query", params: z.strictObject({ areaId }) } },
      async (request, reply) =>
        await answer(request, reply, await pathOfArea(context, request.params.areaId)),
    );
    app.post(
      "/areas/by-path/query",
      {
        schema: {
          ...described,
          summary: "Run a read-only SQL query; by path",
          querystring: z.strictObject({ path }),
        },
      },
      async (request, reply) => await answer(request, reply, request.query.path),
    );
  };

async function answerQuery(
  { areaPool }: ServerContext,
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
): Promise<QueryAnswer | string> {
  const { sql, fullDb, timeout, rows, format = acceptedFormat(request) } = request.body as Body;
  const timeoutMs = typeof timeout === "string" ? parseDuration(timeout) : timeout;
  if (timeoutMs > longestTime) {
    throw new JobsError("usage", `timeout: at most ${longestTime / 1000} s`, {
      hint: "mtjobs query has no limit",
    });
  }
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const { area, files } = await areaPool.locate(path);
  const query = await startQuery({ files, sql, fullDb, limits }, { timeoutMs, signal: gone.signal });
  const rowLimits: RowLimits = { rows, bytes: mostBytes[format] };
  const found = await readBoundedRows(query, rowLimits);
  return format === "csv"
    ? sendCsv(reply, query, found)
    : answerJson(query, found, { area, source: files.source });
}

function acceptedFormat({ headers }: FastifyRequest): "json" | "csv" {
  const { accept = "" } = headers;
  return accept.includes("text/csv") && !accept.includes("application/json") ? "csv" : "json";
}

function answerJson(
  query: RunningQuery,
  { rows, truncated }: BoundedRows,
  head: Pick<QueryAnswer, "area" | "source">,
): QueryAnswer {
  return {
    ...head,
    columns: [...query.columns],
    rows: rows.map((row) => row.map(jsonValue)),
    truncated,
    ...cutOf(query, rows.length),
  };
}

/** Of the rows that are sent: those of a message may be more. */
function cutOf(query: RunningQuery, rows: number): Pick<QueryAnswer, "cutValues" | "cut"> {
  const cut = query.cut().filter(([row]) => row < rows);
  return { cutValues: cut.length, cut: cut.slice(0, mostCutPlaces) };
}

/** A file cannot say in itself that it is not complete. */
function sendCsv(reply: FastifyReply, query: RunningQuery, { rows, truncated }: BoundedRows): string {
  reply
    .header("mtjobs-truncated", String(truncated))
    .header("mtjobs-cut-values", String(cutOf(query, rows.length).cutValues));
  reply.header("content-disposition", 'attachment; filename="query.csv"').type("text/csv; charset=utf-8");
  return rowsCsv([[...query.columns], ...rows]);
}
