import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { guardAccess } from "./access.ts";
import { describeApi } from "./openapi.ts";
import { areaRoutes, listRoutes } from "./routes/areas.ts";
import { addBoard } from "./routes/bull-board.ts";
import { eventRoute } from "./routes/events.ts";
import { healthRoute } from "./routes/health.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { addOverview } from "./routes/overview.ts";
import { answerWithProblems, plainProblem } from "./routes/problems.ts";
import type { ServerContext } from "./routes/server-context.ts";

/** Maximum bytes of a body; a job with 100,000 run ids fits. */
const largestBody = 1024 * 1024;
const largestHeader = 16 * 1024;
/** Milliseconds for a request's head, and for the whole request; slower clients would hold connections. */
const headPatience = 5_000;
const requestPatience = 30_000;
const mostConnections = 500;

export interface AppOptions {
  log: FastifyBaseLogger;
  /** Bull Board may change queues. */
  boardWrite: boolean;
  version: string;
}

export async function buildApp(context: ServerContext, options: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: options.log.child({}, { serializers: { req: requestForLog } }),
    bodyLimit: largestBody,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: "idle",
    requestTimeout: requestPatience,
    http: { maxHeaderSize: largestHeader, headersTimeout: headPatience, connectionsCheckingInterval: 1000 },
    clientErrorHandler: answerBrokenRequest,
  });
  app.server.maxConnections = mostConnections;
  app.setValidatorCompiler(validatorCompiler);
  // Response schemas only describe: send all members.
  app.setSerializerCompiler(() => (document) => JSON.stringify(document));
  // Pages of other sites may send text/plain without a preflight request.
  app.removeContentTypeParser("text/plain");
  answerWithProblems(app);
  await addHeaders(app);
  guardAccess(app, context.settings.token);
  await describeApi(app, options.version);
  await app.register(jobRoutes(context), { prefix: "/api/v1" });
  await app.register(listRoutes(context), { prefix: "/api/v1" });
  await app.register(areaRoutes(context), { prefix: "/api/v1" });
  await app.register(eventRoute(context), { prefix: "/api/v1" });
  await app.register(healthRoute(context));
  await app.register(metricsRoute(context));
  await addOverview(app);
  await addBoard(app, context, options.boardWrite);
  return app;
}

async function addHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        // Swagger UI and Bull Board set inline styles.
        styleSrc: ["'self'", "'unsafe-inline'"],
        scriptSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: "deny" },
    // Only the proxy that ends TLS knows whether there is TLS.
    strictTransportSecurity: false,
  });
  app.addHook("onSend", async (request, reply) => {
    const { url = "" } = request.raw;
    if (!/\/static\//.test(url)) reply.header("cache-control", "no-store");
  });
}

/** Hides the query: a token sent there by mistake must not reach the log. */
function requestForLog({ method, url, host, ip, socket }: FastifyRequest): Record<string, unknown> {
  const [path = "", ...query] = url.split("?");
  return {
    ...{ method, url: query.length === 0 ? path : `${path}?…`, host },
    ...{ remoteAddress: ip, remotePort: socket.remotePort },
  };
}

/** Answers what Node could not parse as a request; Fastify has no request object for it. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
  const problem = plainProblem(status, "malformed request");
  const body = JSON.stringify(problem);
  if (socket.writable && socket.bytesWritten === 0) {
    socket.write(
      `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}
