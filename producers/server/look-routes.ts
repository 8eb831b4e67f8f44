import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { JobsError } from "../../shared/errors.ts";
import { farmStatus } from "../farm-status.ts";
import { isUnfinished } from "../job-view.ts";
import { listJobs } from "../list-jobs.ts";
import { areaSchema, areasSchema, hostsSchema } from "./answers.ts";
import { problems } from "./job-routes.ts";
import type { ServerParts } from "./server-parts.ts";

/** `/api/v1/areas` and `/api/v1/hosts` */
export const lookRoutes =
  ({ session, ask, desk }: ServerParts): FastifyPluginAsyncZod =>
  async (app) => {
    async function areaAt(path: string) {
      const [status, jobs] = await Promise.all([desk.status(path), ask(() => listJobs(session))]);
      const here = jobs.filter((job) => job.area === status.area && isUnfinished(job.state));
      return { ...status, jobs: here };
    }

    app.get(
      "/areas",
      {
        schema: {
          tags: ["areas"],
          summary: "All areas below the server's roots",
          description: "As they were within the last 10 seconds. Links to directories are not followed.",
          response: { 200: areasSchema, ...problems(504) },
        },
      },
      async () => ({ ...(await desk.areas()) }),
    );
    app.get(
      "/areas/:areaId",
      {
        schema: {
          tags: ["areas"],
          summary: "One area by its id: sizes, runs on each side, homehost, locks, last and unfinished jobs",
          params: z.strictObject({ areaId: z.uuid() }),
          response: { 200: areaSchema, ...problems(400, 404, 504) },
        },
      },
      async ({ params }) => {
        const found = await desk.areaOf(params.areaId);
        if (found !== undefined) return await areaAt(found.area);
        throw new JobsError("not-an-area", `no area below the server's roots has the id ${params.areaId}`, {
          hint: "GET /api/v1/areas lists them",
        });
      },
    );
    app.get(
      "/areas/by-path",
      {
        schema: {
          tags: ["areas"],
          summary: "One area by its path; for one that has no id yet, too",
          querystring: z.strictObject({ path: z.string().startsWith("/", "must be absolute").max(4096) }),
          response: { 200: areaSchema, ...problems(400, 403, 404, 504) },
        },
      },
      async ({ query }) => await areaAt(query.path),
    );
    app.get(
      "/hosts",
      {
        schema: {
          tags: ["hosts"],
          summary: "All hosts with a queue or a worker",
          response: { 200: hostsSchema, ...problems() },
        },
      },
      async () => ({ ...(await ask(() => farmStatus(session))) }),
    );
  };
