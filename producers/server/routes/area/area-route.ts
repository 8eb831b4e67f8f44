import type { FastifyInstance } from "fastify";
import * as z from "zod";
import { JobsError } from "../../../../shared/errors.ts";
import { problems } from "../jobs.ts";
import type { ServerContext } from "../server-context.ts";

export const areaId = z.uuid();
export const path = z.string().startsWith("/", "must be absolute").max(4096);

/** What follows the area in a route's path and query. */
type Shape = Readonly<Record<string, z.ZodType>>;
type Values<S extends Shape> = z.output<z.ZodObject<S>>;

interface AreaRoute<Params extends Shape, Query extends Shape> {
  /** Follows the area's own URL. */
  suffix: string;
  summary: string;
  description?: string;
  params?: Params;
  query?: Query;
  /** Of the answer. */
  schema: z.ZodType;
  read: (path: string, given: { params: Values<Params>; query: Values<Query> }) => Promise<object>;
}

/** Returns the path of the area with that id. @throws {JobsError} `not-an-area` */
export async function pathOfArea({ areaPool }: ServerContext, id: string): Promise<string> {
  const found = await areaPool.areaOf(id);
  if (found !== undefined) return found.area;
  throw new JobsError("not-an-area", `no area below the server's roots has the id ${id}`, {
    hint: "GET /api/v1/areas lists the areas",
  });
}

/** Adds `GET /areas/:areaId…`, and the same by path, because a new area has no id yet. */
export function addAreaRoute<Params extends Shape = Shape, Query extends Shape = Shape>(
  app: FastifyInstance,
  context: ServerContext,
  { suffix, summary, description, params, query, schema, read }: AreaRoute<Params, Query>,
): void {
  const described = { tags: ["areas"], ...(description === undefined ? {} : { description }) };
  app.get(
    `/areas/:areaId${suffix}`,
    {
      schema: {
        ...described,
        summary,
        params: z.strictObject({ areaId, ...params }),
        querystring: z.strictObject({ ...query }),
        response: { 200: schema, ...problems(400, 403, 404, 504) },
      },
    },
    async (request) => {
      const { areaId: id, ...rest } = request.params as { areaId: string };
      return await read(await pathOfArea(context, id), {
        params: rest as Values<Params>,
        query: request.query as Values<Query>,
      });
    },
  );
  app.get(
    `/areas/by-path${suffix}`,
    {
      schema: {
        ...described,
        summary: `${summary}; by path`,
        ...(params === undefined ? {} : { params: z.strictObject({ ...params }) }),
        querystring: z.strictObject({ path, ...query }),
        response: { 200: schema, ...problems(400, 403, 404, 504) },
      },
    },
    async (request) => {
      const { path: given, ...rest } = request.query as { path: string };
      return await read(given, { params: request.params as Values<Params>, query: rest as Values<Query> });
    },
  );
}
