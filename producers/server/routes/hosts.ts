import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { payloadSchemas } from "../../../shared/contract/payload.ts";
import { mayUse } from "../../contract/roles.ts";
import { drainResultSchema, undrainedSchema } from "../../contract/schedule.ts";
import { type DrainOptions, undrainHost } from "../../fleet/drain.ts";
import { problems, someTime } from "./jobs.ts";
import { plainProblem, sendProblem } from "./problems.ts";
import type { ServerContext } from "./server-context.ts";

const host = z.string().min(1).max(255);

const { whenQuiet, stopServers, now, dryRun } = payloadSchemas.migrate.shape;

const drainBodySchema = z
  .strictObject({
    to: z
      .array(host)
      .min(1)
      .max(1000)
      .optional()
      .meta({ description: "Default: all hosts with a live worker" }),
    ...{ whenQuiet, quietFor: someTime, deadline: someTime, stopServers, now, dryRun },
  })
  .meta({ id: "DrainRequest" });

/** `/api/v1/hosts/:host/drain`. */
export const hostRoutes =
  ({ session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.put(
      "/hosts/:host/drain",
      {
        schema: {
          tags: ["hosts"],
          summary: "Give a host no new areas, and request the migration of those at home there",
          description:
            "As mtjobs drain, but the migrations are not followed: `enqueued` has their jobs. The order of a dry run may differ from that of the real one.",
          params: z.strictObject({ host }),
          body: drainBodySchema,
          response: { 202: drainResultSchema, ...problems(400, 403, 409, 413, 415) },
        },
      },
      async (request, reply) => {
        const options = request.body as DrainOptions;
        if (options.now === true && !mayUse(request.role, "admin"))
          return sendProblem(reply, plainProblem(403, "now needs a token with the role admin"));
        return reply.code(202).send(await areaPool.drain(request.params.host, options, request.caller));
      },
    );
    app.delete(
      "/hosts/:host/drain",
      {
        schema: {
          tags: ["hosts"],
          summary: "Let a host take areas again",
          params: z.strictObject({ host }),
          response: { 200: undrainedSchema, ...problems(400) },
        },
      },
      async ({ params }) => await ask(() => undrainHost(session, params.host)),
    );
  };
