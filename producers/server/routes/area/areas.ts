import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import {
  areaStatusWithJobsSchema,
  diagnosisSchema,
  foundAreasSchema,
  gainByAgeSchema,
  historySchema,
} from "../../../contract/area.ts";
import { fleetStatusSchema } from "../../../contract/fleet.ts";
import { areaMeasuresSchema } from "../../../contract/totals.ts";
import { areaStatusWithJobs, readQueues } from "../../../fleet/area-status.ts";
import { fleetStatus } from "../../../fleet/status.ts";
import { problems } from "../jobs.ts";
import type { ServerContext } from "../server-context.ts";
import { addAreaRoute } from "./area-route.ts";

/** `/api/v1/areas/:areaId…`, and the same by path. */
export const areaRoutes =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const { session, ask, areaPool } = context;
    const status = (path: string) =>
      areaStatusWithJobs(
        areaPool.status(path),
        ask(() => readQueues(session)),
      );
    addAreaRoute(app, context, {
      suffix: "",
      summary:
        "One area: sizes, runs in each database, homehost, lock, migration, recent and unfinished jobs",
      schema: areaStatusWithJobsSchema,
      read: status,
    });
    addAreaRoute(app, context, {
      suffix: "/history",
      summary: "The last jobs of an area, sizes and runs from before the first one on, and migrations",
      schema: historySchema,
      read: async (path) => await areaPool.history(path),
    });
    addAreaRoute(app, context, {
      suffix: "/doctor",
      summary: "The doctor's checks of an area, at most 60 seconds old",
      schema: diagnosisSchema,
      read: async (path) => await areaPool.diagnosis(path),
    });
    addAreaRoute(app, context, {
      suffix: "/forecast",
      summary: "What a reduce would free, by the age of the runs that it moves; at most 60 seconds old",
      description:
        "Estimated from megatest.db: bytes are a run's share of the tests. A run counts by its beginning, and whether its tests may still report is not read.",
      query: { keep: z.coerce.number().int().min(0).max(1_000_000).default(0) },
      schema: gainByAgeSchema,
      read: async (path, { query }) => await areaPool.gain(path, query.keep),
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
      "/areas/measures",
      {
        schema: {
          tags: ["areas"],
          summary: "Sizes, runs, gain and growth of all areas",
          description:
            "At most 30 seconds old; runs, gain and growth are read again after 5 minutes at the earliest, and null until they were read once.",
          response: { 200: areaMeasuresSchema, ...problems(504) },
        },
      },
      async () => await areaPool.list(),
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
