import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { parseDuration } from "../../../shared/time/duration.ts";
import { mayUse } from "../../contract/roles.ts";
import { policiesSchema, scheduleSchema, scheduleStatusSchema } from "../../contract/schedule.ts";
import { pauseSchedule, resumeSchedule } from "../../schedules/pause.ts";
import type { ScheduledName } from "../../schedules/request-schedule.ts";
import { scheduleStatus } from "../../schedules/schedule-status.ts";
import { removeSchedule } from "../../schedules/schedules.ts";
import { duration, problems, requestSchema } from "./jobs.ts";
import { plainProblem, sendProblem } from "./problems.ts";
import type { ServerContext } from "./server-context.ts";

const scheduleName = z.string().min(1).max(100);

const scheduleBodySchema = z
  .strictObject({
    name: scheduleName.optional(),
    cron: z.string().max(256).optional(),
    every: z.union([z.int().positive(), duration]).optional(),
    tz: z.string().max(64).optional(),
    request: z
      .discriminatedUnion("job", [requestSchema("reduce"), requestSchema("migrate")])
      .meta({ description: "A job, as in POST /jobs" }),
  })
  .meta({ id: "ScheduleRequest" });

/** What the routes about one schedule share. */
const ofOne = {
  tags: ["schedules"],
  params: z.strictObject({ name: scheduleName }),
  response: { 200: scheduleSchema, ...problems(400) },
};

interface ScheduleBody {
  name?: string;
  cron?: string;
  every?: number | string;
  tz?: string;
  request: { job: ScheduledName; area: string; requestedBy?: string; [option: string]: unknown };
}

/** `/api/v1/schedules`. */
export const scheduleRoutes =
  ({ session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/schedules",
      {
        schema: {
          tags: ["schedules"],
          summary: "All schedules, and how their last jobs ended",
          response: { 200: z.object({ schedules: z.array(scheduleStatusSchema) }), ...problems() },
        },
      },
      async () => ({ schedules: await ask(() => scheduleStatus(session)) }),
    );
    app.post(
      "/schedules",
      {
        schema: {
          tags: ["schedules"],
          summary: "Repeat a reduce or a migration",
          description: "By `cron`, a pattern in the time zone `tz`, or by `every`, a minute or more.",
          body: scheduleBodySchema,
          response: { 201: scheduleSchema, ...problems(400, 403, 404, 409, 413, 415) },
        },
      },
      async (request, reply) => {
        const { request: job, every, ...times } = request.body as unknown as ScheduleBody;
        const { job: name, area, requestedBy = request.caller, ...options } = job;
        const isAdmin = mayUse(request.role, "admin");
        if (!isAdmin && (requestedBy !== request.caller || options.now === true))
          return sendProblem(
            reply,
            plainProblem(403, "requestedBy and now need a token with the role admin"),
          );
        const everyMs = typeof every === "string" ? parseDuration(every, "every") : every;
        const added = await areaPool.schedule(
          { name, area, options, times: { ...times, every: everyMs } },
          requestedBy,
        );
        return reply.code(201).send(added);
      },
    );
    app.delete(
      "/schedules/:name",
      {
        schema: {
          ...ofOne,
          summary: "Remove a schedule; a job that it has added continues",
        },
      },
      async ({ params }) => await ask(() => removeSchedule(session, params.name)),
    );
  };

/** `/api/v1/schedules/:name/pause` and `/api/v1/policies`. */
export const pauseAndPolicyRoutes =
  ({ session, ask, areaPool }: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    app.put(
      "/schedules/:name/pause",
      {
        schema: {
          ...ofOne,
          summary: "Let a schedule take no turn; a job that it has added continues",
        },
      },
      async ({ params, caller }) => await ask(() => pauseSchedule(session, params.name, caller)),
    );
    app.delete(
      "/schedules/:name/pause",
      {
        schema: {
          ...ofOne,
          summary: "Let a paused schedule take its turns again; those that have passed are left out",
        },
      },
      async ({ params }) => await ask(() => resumeSchedule(session, params.name)),
    );
    app.get(
      "/policies",
      {
        schema: {
          tags: ["schedules"],
          summary: "The lines of [reduce-records] and [purge-records] of all areas",
          description: "At most 30 seconds old.",
          response: { 200: policiesSchema, ...problems(504) },
        },
      },
      async () => await areaPool.policies(),
    );
  };
