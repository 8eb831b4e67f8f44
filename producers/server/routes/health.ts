import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { listHosts } from "../../../shared/queue/hosts.ts";
import { type Health, healthSchema } from "../../contract/fleet.ts";
import type { ServerContext } from "./server-context.ts";

/** Milliseconds between queries to Redis: anyone may request this, at any rate. */
const freshFor = 1000;

/** `/healthz`: whether Redis responds, and which hosts' workers are alive. Needs no token. */
export const healthRoute =
  ({ settings, session }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    let last: { at: number; health: Promise<Health> } | undefined;

    async function readHealth(): Promise<Health> {
      try {
        const hosts = await listHosts(session.redis, settings.prefix);
        const workers = hosts.map(({ host, alive }) => ({ host, worker: alive ? "alive" : "gone" }) as const);
        return { ok: true, redis: "up", hosts: workers };
      } catch {
        return { ok: false, redis: "down", hosts: [] };
      }
    }

    app.get(
      "/healthz",
      {
        config: { open: true },
        logLevel: "warn",
        schema: {
          tags: ["health"],
          summary: "Whether Redis responds, and which hosts' workers are alive",
          security: [],
          response: { 200: healthSchema, 503: healthSchema },
        },
      },
      async (_request, reply) => {
        if (last === undefined || performance.now() - last.at > freshFor)
          last = { at: performance.now(), health: readHealth() };
        const health = await last.health;
        return reply.code(health.ok ? 200 : 503).send(health);
      },
    );
  };
