import type { FastifyInstance, FastifyRequest } from "fastify";

const isReading = ({ method }: FastifyRequest) => ["GET", "HEAD", "OPTIONS"].includes(method);

/** Writes a line to the log for each request that could change something: who asked for what, and the answer. */
export function auditChanges(app: FastifyInstance): void {
  app.addHook("onResponse", async (request, reply) => {
    if (isReading(request)) return;
    const { caller, accessToken, method, params, body } = request;
    const [path = ""] = request.url.split("?");
    const { job, area } = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
    request.log.info(
      {
        audit: { by: caller, token: accessToken, method, path, params, job, area, status: reply.statusCode },
      },
      `audit: ${caller} ${method} ${path}: ${reply.statusCode}`,
    );
  });
}
