import { basename } from "node:path";
import type { JobSchedulerJson, JobSchedulerTemplateOptions, RepeatOptions } from "bullmq";
import ms from "ms";
import type { JobPayload } from "../../shared/contract/payload.ts";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import { keepCompleted, keepFailed } from "../../shared/queue/enqueue-options.ts";
import { forgetOutcome } from "../../shared/queue/outcomes.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import { ownZone, parseZone, zonedText } from "../../shared/time/time-window.ts";
import type { Schedule } from "../contract/schedule.ts";
import type { CheckedMigrate } from "../jobs/check-migrate.ts";
import type { CheckedRequest } from "../jobs/check-move.ts";
import { chooseHost } from "../jobs/enqueue.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";
import { fitTarget, readFleet } from "../jobs/target-host.ts";
import { changeSchedule } from "./change-schedule.ts";
import { forgetPaused, listPaused, type PausedSchedule } from "./paused-schedules.ts";

export interface ScheduleOptions {
  /** Unique among all hosts; default: made from the job's and the area's names. */
  name?: string | undefined;
  cron?: string | undefined;
  /** Ms, a minute or more. */
  every?: number | undefined;
  /** Time zone of `cron`, and of the request's `between` if that has none; default: this process's. */
  tz?: string | undefined;
}

const minute = 60_000;

/** A scheduled job only adds the actual one, and is kept like other jobs. */
const turnOptions = { removeOnComplete: keepCompleted, removeOnFail: keepFailed, keepLogs: 100, attempts: 8 };

/**
 * Repeats a job by cron pattern or interval: a reduce in the queue of the area's homehost, a migration in that of
 * the new homehost.
 * @throws {JobsError} `usage` for an invalid schedule, a take-over, or a name in use; as `enqueueJob` and
 *   `enqueueMigrate`
 */
export async function addSchedule(
  session: Session,
  checked: CheckedRequest | CheckedMigrate,
  options: ScheduleOptions,
): Promise<Schedule> {
  const { name: job, area } = checked;
  const name = checkName(options.name ?? `${job}-${basename(area.path).replaceAll(/[^\w.-]/g, "_")}`);
  const { tz = ownZone() } = options;
  const repeat = await checkRepeat({ ...options, tz });
  await checkRedis(session.redis, session.settings.redisUrl);
  return await changeSchedule(session, name, async () => {
    const taken = (await listSchedules(session)).find((schedule) => schedule.name === name);
    if (taken !== undefined) {
      const isPaused = taken.paused === null ? "" : ", paused";
      throw new JobsError("usage", `the schedule ${name} already exists, for ${taken.area}${isPaused}`, {
        hint: `use another --name, or remove the existing one first: mtjobs schedule remove ${name}`,
        details: { name, host: taken.host },
      });
    }
    const { host, payload } = await placeOf(session, checked, tz);
    const data = { ...payload, schedule: name };
    return await putInQueue(session, host, name, { repeat, job, data, options: turnOptions });
  });
}

/** Returns the host whose queue receives the schedule, and the data of each of its jobs. */
async function placeOf(session: Session, checked: CheckedRequest | CheckedMigrate, tz: string) {
  if (checked.name !== "migrate") {
    const { payload, area } = checked;
    const zone = payload.between === undefined || payload.tz !== undefined ? {} : { tz };
    return { host: await chooseHost(session, area), payload: { ...payload, ...zone } };
  }
  const { payload } = checked;
  if (payload.takeover) {
    throw new JobsError(
      "usage",
      "a take-over cannot be scheduled: each time, a person must make sure that the old home is off",
      {
        hint: "remove the take-over from the schedule; if a host is lost, run mtjobs migrate AREA --takeover",
      },
    );
  }
  const { host } = fitTarget(payload.to, await readFleet(session));
  return { host, payload: { ...payload, to: host } };
}

function checkName(name: string): string {
  // BullMQ uses "id" as a key.
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name) && name !== "id") return name;
  throw new JobsError("usage", `--name: "${name.slice(0, 120)}" is not a valid schedule name`, {
    hint: "use at most 100 letters, digits, dots, dashes and underscores, starting with a letter or digit",
  });
}

async function checkRepeat({ cron, every, tz = ownZone() }: ScheduleOptions): Promise<RepeatOptions> {
  if ((cron === undefined) === (every === undefined)) {
    throw new JobsError("usage", "a schedule needs either --cron or --every", {
      hint: 'use --cron "0 2 * * *" (two at night), or --every 12h',
    });
  }
  if (every !== undefined) {
    if (every >= minute) return { every };
    throw new JobsError("usage", "--every must be at least a minute", {
      hint: "for example --every 1m",
    });
  }
  parseZone(tz, "--tz");
  const pattern = cron ?? "";
  const { nextTurns } = await import("./next-turns.ts");
  const turns = nextTurns(pattern, tz, turnsLookedAt);
  const hint =
    'use minute, hour, day of month, month and day of week, such as "0 2 * * 1-5"; an additional first field for seconds may name only one';
  // The parser treats an empty pattern as every minute.
  if (pattern.trim() === "" || turns.length === 0)
    throw new JobsError("usage", `--cron: "${pattern}" is not a cron pattern, or never matches`, { hint });
  if (turns.some((turn, n) => n > 0 && turn - (turns[n - 1] ?? turn) < minute))
    throw new JobsError("usage", `--cron: "${pattern}" matches more than once a minute`, { hint });
  return { pattern, tz };
}

/** Matches checked: a pattern that names several seconds does so in every matching minute, so a few suffice. */
const turnsLookedAt = 4;

/** Returns the schedules of all hosts, by name, paused ones among them. */
export async function listSchedules(session: Session): Promise<Schedule[]> {
  const { redis, settings } = session;
  const [paused, hosts] = await Promise.all([listPaused(redis, settings.prefix), knownHosts(session)]);
  const queued = await Promise.all(
    hosts.map(async (host) =>
      (await session.queue(host).getJobSchedulers()).map((schedule) => viewSchedule(host, schedule)),
    ),
  );
  const active = queued.flat();
  const names = new Set(active.map(({ name }) => name));
  return [...active, ...paused.filter(({ name }) => !names.has(name)).map(viewPaused)].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );
}

function viewSchedule(
  host: string,
  { key, name, pattern, every, tz, next, template }: JobSchedulerJson,
): Schedule {
  const data = (template?.data ?? {}) as Partial<JobPayload>;
  return {
    name: key,
    host,
    job: name,
    area: data.area ?? "",
    cron: pattern ?? null,
    tz: tz ?? null,
    every: every ?? null,
    next: next === undefined ? null : new Date(next).toISOString(),
    overdue: next !== undefined && next < Date.now() - minute,
    paused: null,
    requestedBy: data.requestedBy ?? "unknown",
    data: data as JobPayload,
  };
}

export function viewPaused({ name, host, job, repeat, data, at, by }: PausedSchedule): Schedule {
  const { pattern, tz, every } = repeat;
  const template = { data, opts: {} };
  const view = viewSchedule(host, { key: name, name: job, ...defined({ pattern, tz, every }), template });
  return { ...view, paused: { at, by } };
}

export function oftenText({ cron, tz, every }: Schedule): string {
  return cron === null ? `every ${ms(every ?? 0)}` : `${cron} (${tz})`;
}

/** Returns the next turn in the schedule's time zone, that of this host for an interval; `-` if there is none. */
export function nextText({ next, tz }: Pick<Schedule, "next" | "tz">): string {
  return next === null ? "-" : zonedText(Date.parse(next), tz ?? ownZone());
}

/** `paused since 2026-12-01T02:00:00.000Z by ann@hosta` */
export function pausedText({ paused }: Pick<Schedule, "paused">): string {
  return paused === null ? "not paused" : `paused since ${paused.at} by ${paused.by}`;
}

/**
 * Removes a schedule; a job that it has added continues. @throws {JobsError} `usage` if there is none of that name
 */
export async function removeSchedule(session: Session, name: string): Promise<Schedule> {
  return await changeSchedule(session, name, async () => {
    const [first, ...others] = await namedSchedules(session, name);
    for (const { host } of [first, ...others]) await session.queue(host).removeJobScheduler(name);
    const { redis, settings } = session;
    await forgetPaused(redis, settings.prefix, name);
    await forgetOutcome(redis, settings.prefix, { kind: "schedule", name, area: first.area });
    return first;
  });
}

interface Turns {
  repeat: RepeatOptions;
  job: string;
  data: object;
  options: JobSchedulerTemplateOptions;
}

export async function putInQueue(
  session: Session,
  host: string,
  name: string,
  { repeat, job, data, options }: Turns,
): Promise<Schedule> {
  await session.queue(host).upsertJobScheduler(name, repeat, { name: job, data, opts: options });
  const added = await session.queue(host).getJobScheduler(name);
  if (added === undefined) throw new JobsError("internal", `the schedule ${name} has just been removed`);
  return viewSchedule(host, added);
}

/** Schedules of one name are one, unless another tool added them. */
export async function namedSchedules(session: Session, name: string): Promise<[Schedule, ...Schedule[]]> {
  const schedules = await listSchedules(session);
  const [first, ...others] = schedules.filter((schedule) => schedule.name === name);
  if (first !== undefined) return [first, ...others];
  const names = schedules.map((each) => each.name).join(", ");
  throw new JobsError("usage", `there is no schedule ${name}`, {
    hint: schedules.length === 0 ? "there are no schedules" : `existing schedules: ${names}`,
  });
}
