import type { FastifyInstance } from "fastify";
import { isReading } from "../contract/roles.ts";

/** Maximum characters of a value: an area's path may have 4096, a body a million. */
const longest = 4096;

const shown = (value: unknown) => (typeof value === "string" ? value.slice(0, longest) : undefined);

/** Writes a line to the log for each request that could change something, or is a query: who asked for what, and the answer. */
export function auditChanges(app: FastifyInstance): void {
  app.addHook("onResponse", async (request, reply) => {
    if (isReading(request)) return;
    const { caller, accessToken, method, params, body } = request;
    const [path = ""] = request.url.split("?");
    const members = (value: unknown) =>
      typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    const { job, area, sql } = members(body);
    // A request about an area by its path has that in the query.
    const about = area ?? members(request.query).path;
    request.log.info(
      {
        audit: {
          ...{ by: caller, token: accessToken, method, path, params },
          ...{ job: shown(job), area: shown(about), sql: shown(sql), status: reply.statusCode },
        },
      },
      `audit: ${caller} ${method} ${path}: ${reply.statusCode}`,
    );
  });
}
