import { STATUS_CODES } from "node:http";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { payloadSchemas } from "../../../shared/contract/payload.ts";
import { JobsError } from "../../../shared/errors.ts";
import { durationExamples, durationPattern } from "../../../shared/time/duration.ts";
import {
  cancelledSchema,
  enqueuedSchema,
  followedJobSchema,
  jobReportSchema,
  jobSummariesSchema,
  jobsSchema,
  retriedSchema,
} from "../../contract/job.ts";
import { type JobState, jobStates } from "../../contract/job-states.ts";
import { mayUse } from "../../contract/roles.ts";
import { reportedResultText } from "../../format/job.ts";
import { cancelJob, peekJob, reportJob } from "../../jobs/find-job.ts";
import { summarizeJob } from "../../jobs/job-view.ts";
import { listJobs, parseStates } from "../../jobs/list-jobs.ts";
import { type RequestName, requestNames } from "../../jobs/request-job.ts";
import { retryJob } from "../../jobs/retry-job.ts";
import { answerOnce } from "./idempotency.ts";
import { plainProblem, problemSchema, sendProblem } from "./problems.ts";
import type { ServerContext } from "./server-context.ts";

const jobId = z.string().min(1).max(256);
const hostName = z.string().min(1).max(255);
/** The host of a job whose id is a number, which BullMQ assigns per queue. */
const oneHost = z.strictObject({ host: hostName.optional() });
/** Minimum, default and maximum number of jobs in a list. */
const fewest = 1;
const usual = 100;
const most = 1000;

/** Returns the error responses of a route, for OpenAPI. */
export function problems(...statuses: number[]): Record<number, object> {
  const content = { "application/problem+json": { schema: problemSchema } };
  return Object.fromEntries(
    [...statuses, 401, 429, 503].map((status) => [status, { description: STATUS_CODES[status], content }]),
  );
}

function statesOf(text: string | undefined): JobState[] | undefined {
  return text === undefined ? undefined : parseStates(text);
}

/** `POST /jobs`. */
const enqueueRoute =
  ({ settings, session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/jobs",
      {
        schema: {
          tags: ["jobs"],
          summary: "Enqueue a job",
          description:
            "A request equal to an unfinished job returns that job. With an Idempotency-Key, a repeated request returns the first response for a day, even after a lost connection.",
          headers: z.object({ "idempotency-key": z.string().min(1).max(255).optional() }),
          body: jobBodySchema,
          response: { 202: enqueuedSchema, ...problems(400, 403, 404, 409, 413, 415, 422) },
        },
      },
      async (request, reply) => {
        const { job, area, requestedBy = request.caller, ...options } = request.body as JobBody;
        if (requestedBy !== request.caller && !mayUse(request.role, "admin"))
          return sendProblem(reply, plainProblem(403, "requestedBy needs a token with the role admin"));
        if ((options.takeover === true || options.now === true) && !mayUse(request.role, "admin"))
          return sendProblem(reply, plainProblem(403, "takeover and now need a token with the role admin"));
        if (options.export === false && !mayUse(request.role, "admin"))
          return sendProblem(
            reply,
            plainProblem(403, "a purge without an export needs a token with the role admin"),
          );
        const enqueue = (jobId?: string) =>
          areaPool.enqueue({ name: job, area, options, jobId }, requestedBy);
        const key = request.headers["idempotency-key"];
        const once = { redis: session.redis, prefix: settings.prefix };
        const answer = await ask(async () => {
          if (key === undefined) return { answer: await enqueue(), replayed: false };
          return await answerOnce(once, { key, job, body: request.body }, enqueue);
        });
        if (answer === undefined) {
          const error = new JobsError("usage", "this Idempotency-Key was already used for another request", {
            hint: "use a new key for each request",
          });
          return sendProblem(reply, error, 422);
        }
        if (answer.replayed) reply.header("idempotency-replayed", "true");
        reply.header(
          "location",
          `${settings.basePath}/api/v1/jobs/${encodeURIComponent(answer.answer.jobId)}`,
        );
        return reply.code(202).send(answer.answer);
      },
    );
  };

const listQuery = z.strictObject({
  state: z
    .string()
    .max(256)
    .optional()
    .meta({ description: `Comma-separated: ${jobStates.join(", ")}` }),
  host: hostName.optional(),
  area: z.string().min(1).max(4096).optional().meta({ description: "The area's path, as it was requested" }),
  job: z.string().min(1).max(64).optional().meta({ description: "The kind, such as `reduce`" }),
  by: z.string().min(1).max(512).optional().meta({ description: "Text that `requestedBy` must contain" }),
  text: z.string().min(1).max(4096).optional().meta({
    description: "Text that the job's id or the area's path must contain",
  }),
  migration: z.string().min(1).max(256).optional().meta({
    description: "The id of a migration: only the steps that its workers request of each other",
  }),
  all: z.stringbool().default(false).meta({
    description: "Also the internal steps that the workers of a migration request of each other",
  }),
  brief: z.stringbool().default(false).meta({
    description: "Without data and result, which may be long; with the number of runs moved",
  }),
  limit: z.coerce.number().int().min(fewest).max(most).default(usual),
});

/** `GET /jobs`. */
const listRoute =
  ({ session, ask }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/jobs",
      {
        schema: {
          tags: ["jobs"],
          summary: "List jobs, newest first",
          querystring: listQuery,
          response: { 200: z.union([jobsSchema, jobSummariesSchema]), ...problems(400) },
        },
      },
      async ({ query: { state, brief, ...rest } }) => {
        const states = statesOf(state);
        const jobs = await ask(() => listJobs(session, { ...rest, states }));
        return brief ? { jobs: jobs.map(summarizeJob) } : { jobs };
      },
    );
  };

/** `POST /jobs/:jobId/retry`. */
const retryRoute =
  ({ settings, session, ask }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.post(
      "/jobs/:jobId/retry",
      {
        schema: {
          tags: ["jobs"],
          summary: "Request the work of a failed job again",
          description: "As a new job; a failed job is retried once, and a second request returns that job.",
          params: z.strictObject({ jobId }),
          querystring: oneHost,
          response: { 202: retriedSchema, ...problems(400, 404) },
        },
      },
      async ({ params, query, caller }, reply) => {
        const options = { host: query.host, requestedBy: caller };
        const retried = await ask(() => retryJob(session, params.jobId, options));
        reply.header("location", `${settings.basePath}/api/v1/jobs/${encodeURIComponent(retried.jobId)}`);
        return reply.code(202).send(retried);
      },
    );
  };

/** `GET /jobs/:jobId/follow`. */
const followRoute =
  ({ session, ask }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/jobs/:jobId/follow",
      {
        logLevel: "warn",
        schema: {
          tags: ["jobs"],
          summary: "What is new of a job",
          description:
            "Its state, progress and the new lines of its log: what `mtjobs job --follow` prints. Send `from` of the last answer until `finishedAt` is set; if the job is `forwarded`, follow that one.",
          params: z.strictObject({ jobId }),
          querystring: z.strictObject({
            ...oneHost.shape,
            from: z.coerce.number().int().min(0).max(1_000_000).default(0),
          }),
          response: { 200: followedJobSchema, ...problems(400, 404) },
        },
      },
      async ({ params, query }) => {
        const { view, ...rest } = await ask(() => peekJob(session, params.jobId, query));
        const { host, state, startedAt, finishedAt, progress } = view;
        const known = { jobId: view.jobId, host, state, startedAt, finishedAt, progress };
        return { ...known, ...rest, resultText: reportedResultText(view) ?? null };
      },
    );
  };

/** `GET /jobs/:jobId`, and the cancelling of a job. */
const foundJobRoutes =
  ({ session, ask }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/jobs/:jobId",
      {
        schema: {
          tags: ["jobs"],
          summary: "One job: its state, progress, log and result",
          params: z.strictObject({ jobId }),
          querystring: oneHost,
          response: { 200: jobReportSchema, ...problems(400, 404) },
        },
      },
      async ({ params, query }) => await ask(() => reportJob(session, params.jobId, query.host)),
    );
    app.delete(
      "/jobs/:jobId",
      {
        schema: {
          tags: ["jobs"],
          summary: "Cancel a job, waiting or running",
          description: "202: the running job stops at its next batch; what it has moved stays moved.",
          params: z.strictObject({ jobId }),
          querystring: oneHost,
          response: { 200: cancelledSchema, 202: cancelledSchema, ...problems(400, 404) },
        },
      },
      async ({ params, query, caller }, reply) => {
        const by = { host: query.host, requestedBy: caller };
        const cancelled = await ask(() => cancelJob(session, params.jobId, by));
        return reply.code(cancelled.outcome === "requested" ? 202 : 200).send(cancelled);
      },
    );
  };

export const jobRoutes =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    await app.register(enqueueRoute(context));
    await app.register(listRoute(context));
    await app.register(retryRoute(context));
    await app.register(followRoute(context));
    await app.register(foundJobRoutes(context));
  };

/** A job as requested over HTTP: its kind and the members of its data. */
export interface JobBody {
  job: RequestName;
  area: string;
  requestedBy?: string | undefined;
  [option: string]: unknown;
}

export const duration = z
  .string()
  .max(32)
  .regex(durationPattern, `is not a duration such as ${durationExamples}`);

/** Milliseconds or a duration. */
export const someTime = z.union([z.int().nonnegative(), duration]).optional();

/** Members that are milliseconds in the queue, and may be durations here, as on the command line. */
const durations = ["age", "deadAfter", "grace", "maxTime", "quietFor", "deadline"] as const;

function bodySchema(name: RequestName) {
  const { v: _version, requestedBy: _who, ...shape } = payloadSchemas[name].shape;
  const eased = Object.fromEntries(
    durations.filter((member) => member in shape).map((member) => [member, someTime]),
  );
  return z
    .strictObject({
      job: z.literal(name),
      ...shape,
      ...eased,
      requestedBy: z.string().min(1).max(512).optional(),
    })
    .meta({ id: `${name.charAt(0).toUpperCase()}${name.slice(1)}Request` });
}

const schemas = requestNames.map(bodySchema);

/** Returns the body of a request for a job of this kind; the same object each time, which has an id. */
export const requestSchema = (name: RequestName) =>
  schemas[requestNames.indexOf(name)] as (typeof schemas)[number];

const jobBodySchema = z.discriminatedUnion(
  "job",
  schemas as unknown as [(typeof schemas)[number], ...typeof schemas],
);
