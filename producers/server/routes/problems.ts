import { STATUS_CODES } from "node:http";
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import * as z from "zod";
import { type ErrorCode, errorCodes } from "../../../shared/error-codes.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";

/** The HTTP status of every error code. */
const statusOf: Record<ErrorCode, number> = {
  usage: 400,
  "bad-payload": 400,
  "bad-query": 400,
  "read-only": 400,
  "outside-roots": 403,
  "not-an-area": 404,
  "unknown-job": 404,
  "unknown-run": 404,
  "bad-config": 409,
  "not-home": 409,
  "not-owner": 409,
  "several-caches": 409,
  locked: 409,
  "not-quiescent": 409,
  pinned: 409,
  conflict: 409,
  "unfit-host": 409,
  "too-soon": 409,
  "still-alive": 409,
  unconfirmed: 409,
  "ids-used-up": 409,
  "outside-window": 409,
  paused: 409,
  "rolled-back": 409,
  cancelled: 409,
  "bad-settings": 500,
  corrupt: 500,
  "unknown-schema": 500,
  internal: 500,
  io: 503,
  "disk-full": 503,
  "lost-lease": 503,
  busy: 503,
  stopped: 503,
  "bad-installation": 500,
  "bad-redis": 503,
  "redis-unreachable": 503,
  "no-worker": 503,
  interrupted: 503,
  timeout: 504,
};

export const problemSchema = z
  .object({
    type: z.string().meta({
      description: "`urn:mtjobs:error:<code>`, or `about:blank` for a plain HTTP status",
    }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]).optional(),
    hint: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({
    id: "Problem",
    description:
      "An error as a problem document (RFC 9457). Programs should match on `code`; texts may change.",
  });
export type Problem = z.infer<typeof problemSchema>;

/** Returns a problem that an HTTP status describes. */
export function plainProblem(status: number, detail: string): Problem {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
}

function problemOf(error: JobsError, status = statusOf[error.code]): Problem {
  const { code, message, ...rest } = error.toDocument();
  const words = code.replaceAll("-", " ");
  const title = `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  return { type: `urn:mtjobs:error:${code}`, title, status, detail: message, code, ...rest };
}

/** Sends an error; `status` overrides that of its code. */
export function sendProblem(
  reply: FastifyReply,
  problem: Problem | JobsError,
  status?: number,
): FastifyReply {
  const document = problem instanceof JobsError ? problemOf(problem, status) : problem;
  return reply.code(document.status).type("application/problem+json").send(JSON.stringify(document));
}

function malformed(error: FastifyError & { validation: readonly object[] }): JobsError {
  const problems = (error.validation as { instancePath: string; message: string }[]).map(
    ({ instancePath, message }) =>
      `${instancePath.slice(1).replaceAll("/", ".") || String(error.validationContext ?? "data")}: ${message}`,
  );
  return new JobsError("bad-payload", problems.join("; "), {
    hint: "see /openapi.json for valid requests",
    details: { problems },
  });
}

/** Returns the problem document for a thrown error. Internal errors go to `log`, and are hidden from the client. */
export function problemOfThrown(error: Error & { statusCode?: number }, log: FastifyBaseLogger): Problem {
  if (error instanceof JobsError) {
    if (error.code === "internal") log.error({ err: error }, "internal error");
    return problemOf(error);
  }
  if (hasZodFastifySchemaValidationErrors(error)) return problemOf(malformed(error));
  const { statusCode = 500 } = error;
  if (statusCode < 500) return plainProblem(statusCode, error.message);
  log.error({ err: error }, "request failed");
  if (statusCode === 503) return plainProblem(503, error.message);
  const { code } = toJobsError(error);
  return problemOf(new JobsError(code, "the request failed", { hint: "see the server's log" }));
}

export function answerWithProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendProblem(reply, problemOfThrown(error, request.log)),
  );
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, plainProblem(404, `cannot ${request.method} this path`)),
  );
}
