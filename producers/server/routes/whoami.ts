import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { type WhoAmI, whoAmISchema } from "../../contract/fleet.ts";
import { problems } from "./jobs.ts";

/** `GET /whoami`: what the page needs to offer only what the token may do. */
export const whoAmIRoute =
  (boardWrite: boolean): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/whoami",
      {
        schema: {
          tags: ["access"],
          summary: "Who the server takes the caller for, and what the token may do",
          response: { 200: whoAmISchema, ...problems() },
        },
      },
      async ({ caller, accessToken, role }): Promise<WhoAmI> => ({
        user: caller,
        token: accessToken ?? null,
        role,
        boardWrite: boardWrite && role === "admin",
      }),
    );
  };
