import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { JobsError } from "../../../shared/errors.ts";
import {
  areaStatusWithJobsSchema,
  diagnosisSchema,
  foundAreasSchema,
  historySchema,
} from "../../contract/area.ts";
import { fleetStatusSchema } from "../../contract/fleet.ts";
import { fleetStatus } from "../../fleet/status.ts";
import { areaStatusWithJobs, readQueues } from "../../jobs/area-status.ts";
import { problems } from "./jobs.ts";
import type { ServerContext } from "./server-context.ts";

/** Maximum number of history lines. */
const historyShown = 500;

const idParams = z.strictObject({ areaId: z.uuid() });
const pathQuery = z.strictObject({ path: z.string().startsWith("/", "must be absolute").max(4096) });

interface AreaRoute {
  /** Follows the area's own URL. */
  suffix: "" | "/history" | "/doctor";
  summary: string;
  schema: z.ZodType;
  read: (path: string) => Promise<object>;
}

/** `/api/v1/areas/:areaId…`, and the same by path, because a new area has no id yet. */
export const areaRoutes =
  ({ session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const status = (path: string) =>
      areaStatusWithJobs(
        areaPool.status(path),
        ask(() => readQueues(session)),
      );

    async function pathOf(areaId: string): Promise<string> {
      const found = await areaPool.areaOf(areaId);
      if (found !== undefined) return found.area;
      throw new JobsError("not-an-area", `no area below the server's roots has the id ${areaId}`, {
        hint: "GET /api/v1/areas lists the areas",
      });
    }

    function add({ suffix, summary, schema, read }: AreaRoute): void {
      const described = { tags: ["areas"], summary };
      app.get(
        `/areas/:areaId${suffix}`,
        { schema: { ...described, params: idParams, response: { 200: schema, ...problems(400, 404, 504) } } },
        async ({ params }) => await read(await pathOf(params.areaId)),
      );
      const response = { 200: schema, ...problems(400, 403, 404, 504) };
      app.get(
        `/areas/by-path${suffix}`,
        {
          schema: {
            ...described,
            summary: `${summary}; by path`,
            querystring: pathQuery,
            response,
          },
        },
        async ({ query }) => await read(query.path),
      );
    }

    add({
      suffix: "",
      summary:
        "One area: sizes, runs in each database, homehost, lock, migration, recent and unfinished jobs",
      schema: areaStatusWithJobsSchema,
      read: status,
    });
    add({
      suffix: "/history",
      summary: `The last ${historyShown} jobs of an area, oldest first`,
      schema: historySchema,
      read: async (path) => ({ history: await areaPool.history(path, historyShown) }),
    });
    add({
      suffix: "/doctor",
      summary: "The doctor's checks of an area, at most 60 seconds old",
      schema: diagnosisSchema,
      read: async (path) => await areaPool.diagnosis(path),
    });
  };

export const listRoutes =
  ({ session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/areas",
      {
        schema: {
          tags: ["areas"],
          summary: "All areas below the server's roots",
          description: "At most 10 seconds old. Symbolic links within the roots are followed.",
          response: { 200: foundAreasSchema, ...problems(504) },
        },
      },
      async () => await areaPool.areas(),
    );
    app.get(
      "/hosts",
      {
        schema: {
          tags: ["hosts"],
          summary: "All hosts with a queue or a worker",
          response: { 200: fleetStatusSchema, ...problems() },
        },
      },
      async () => await ask(() => fleetStatus(session)),
    );
  };
