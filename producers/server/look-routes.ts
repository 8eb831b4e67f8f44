import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { farmStatus } from "../farm-status.ts";
import { areasSchema, hostsSchema } from "./answers.ts";
import { problems } from "./job-routes.ts";
import type { ServerParts } from "./server-parts.ts";

export const lookRoutes =
  ({ session, ask, desk }: ServerParts): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/areas",
      {
        schema: {
          tags: ["areas"],
          summary: "All areas below the server's roots",
          description: "At most 10 seconds old. Symbolic links to directories are not followed.",
          response: { 200: areasSchema, ...problems(504) },
        },
      },
      async () => ({ ...(await desk.areas()) }),
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
