import type { Socket } from "node:net";
import helmet from "@fastify/helmet";
import proxyAddr from "@fastify/proxy-addr";
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { JobsError } from "../../shared/errors.ts";
import { guardAccess } from "./access.ts";
import { auditChanges } from "./audit.ts";
import { describeApi } from "./openapi.ts";
import { areaRoutes, listRoutes } from "./routes/area/areas.ts";
import { queryRoutes } from "./routes/area/query.ts";
import { runRoutes } from "./routes/area/runs.ts";
import { addBoard } from "./routes/bull-board.ts";
import { eventRoute } from "./routes/events.ts";
import { healthRoute } from "./routes/health.ts";
import { hostRoutes } from "./routes/hosts.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { addPage } from "./routes/page.ts";
import { answerWithProblems, plainProblem } from "./routes/problems.ts";
import { pauseAndPolicyRoutes, scheduleRoutes } from "./routes/schedules.ts";
import { searchRoute } from "./routes/search.ts";
import type { ServerContext } from "./routes/server-context.ts";
import { totalsRoute } from "./routes/totals.ts";
import { whoAmIRoute } from "./routes/whoami.ts";
import type { AccessToken } from "./tokens.ts";

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
  tokens: readonly AccessToken[];
}

/** @throws {JobsError} `bad-settings` for what is no address */
function compileProxies(addresses: readonly string[]): (address: string, hop: number) => boolean {
  try {
    return proxyAddr.compile([...addresses]);
  } catch (error) {
    throw new JobsError("bad-settings", `MTJOBS_TRUST_PROXY: ${(error as Error).message}`, {
      hint: "give addresses, or networks such as 10.0.0.0/8, separated by commas",
    });
  }
}

/** A proxy may pass its path on, or leave it out. */
function withoutBase(url: string, basePath: string): string {
  const rest = url.slice(basePath.length);
  if (!url.startsWith(basePath) || !/^(?:$|[/?])/.test(rest)) return url;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

export async function buildApp(context: ServerContext, options: AppOptions): Promise<FastifyInstance> {
  const { basePath, trustProxy } = context.settings;
  const trusts = compileProxies(trustProxy);
  const app = fastify({
    loggerInstance: options.log.child({}, { serializers: { req: requestForLog } }),
    bodyLimit: largestBody,
    trustProxy: trusts,
    rewriteUrl: ({ url = "" }) => withoutBase(url, basePath),
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
  const isProxy = (address: string) => trusts(address, 0);
  guardAccess(app, { tokens: options.tokens, isProxy, userHeader: context.settings.userHeader });
  auditChanges(app);
  await describeApi(app, options.version, basePath);
  await app.register(jobRoutes(context), { prefix: "/api/v1" });
  await app.register(listRoutes(context), { prefix: "/api/v1" });
  await app.register(areaRoutes(context), { prefix: "/api/v1" });
  await app.register(runRoutes(context), { prefix: "/api/v1" });
  await app.register(queryRoutes(context), { prefix: "/api/v1" });
  await app.register(scheduleRoutes(context), { prefix: "/api/v1" });
  await app.register(pauseAndPolicyRoutes(context), { prefix: "/api/v1" });
  await app.register(hostRoutes(context), { prefix: "/api/v1" });
  await app.register(totalsRoute(context), { prefix: "/api/v1" });
  await app.register(searchRoute(context), { prefix: "/api/v1" });
  await app.register(eventRoute(context), { prefix: "/api/v1" });
  await app.register(whoAmIRoute(options.boardWrite), { prefix: "/api/v1" });
  await app.register(healthRoute(context));
  await app.register(metricsRoute(context));
  await addPage(app, basePath);
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
