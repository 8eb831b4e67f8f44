import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { guardAccess } from "./access.ts";
import { areaRoutes } from "./area-routes.ts";
import { addBoard } from "./board.ts";
import { describeApi } from "./description.ts";
import { eventRoute } from "./events.ts";
import { healthRoute } from "./health.ts";
import { jobRoutes } from "./job-routes.ts";
import { lookRoutes } from "./look-routes.ts";
import { metricsRoute } from "./metrics.ts";
import { addOverview, importMapHash } from "./overview.ts";
import { answerWithProblems, plainProblem } from "./problems.ts";
import type { ServerParts } from "./server-parts.ts";

/** Bytes of a body: a job that names 100,000 runs by id fits. */
const largestBody = 1024 * 1024;
const largestHeader = 16 * 1024;
/** Milliseconds for the head of a request, and for all of it: who sends slower holds a connection for nothing. */
const headPatience = 5_000;
const requestPatience = 30_000;
const mostConnections = 500;

export interface AppOptions {
  log: FastifyBaseLogger;
  /** Bull Board may change queues. */
  boardWrite: boolean;
  version: string;
}

/** The HTTP server, not yet listening. */
export async function buildApp(parts: ServerParts, options: AppOptions): Promise<FastifyInstance> {
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
  // The schemas of answers describe; what is sent is what there is.
  app.setSerializerCompiler(() => (document) => JSON.stringify(document));
  // A page of another site may send text without asking first.
  app.removeContentTypeParser("text/plain");
  answerWithProblems(app);
  await addHeaders(app);
  guardAccess(app, parts.settings.token);
  await describeApi(app, options.version);
  await app.register(jobRoutes(parts), { prefix: "/api/v1" });
  await app.register(lookRoutes(parts), { prefix: "/api/v1" });
  await app.register(areaRoutes(parts), { prefix: "/api/v1" });
  await app.register(eventRoute(parts), { prefix: "/api/v1" });
  await app.register(healthRoute(parts));
  await app.register(metricsRoute(parts));
  await addOverview(app);
  await addBoard(app, parts, options.boardWrite);
  return app;
}

async function addHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", "data:"],
        // Swagger UI and Bull Board set styles on their elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        scriptSrc: ["'self'", importMapHash],
        objectSrc: ["'none'"],
        baseUri: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: "deny" },
    // Whether there is TLS knows the proxy that ends it.
    strictTransportSecurity: false,
  });
  app.addHook("onSend", async (request, reply) => {
    const { url = "" } = request.raw;
    if (!/\/static\//.test(url)) reply.header("cache-control", "no-store");
  });
}

/** A token has no place in a query, and who puts one there must not find it in a log. */
function requestForLog({ method, url, host, ip, socket }: FastifyRequest): Record<string, unknown> {
  const [path = "", ...query] = url.split("?");
  return {
    ...{ method, url: query.length === 0 ? path : `${path}?…`, host },
    ...{ remoteAddress: ip, remotePort: socket.remotePort },
  };
}

/** What Node could not read as a request: there is no request to answer through. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  const status = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }[error.code ?? ""] ?? 400;
  const problem = plainProblem(status, "the request could not be read");
  const body = JSON.stringify(problem);
  if (socket.writable && socket.bytesWritten === 0) {
    socket.write(
      `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}
