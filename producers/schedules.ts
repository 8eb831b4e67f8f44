import { basename } from "node:path";
import type { JobSchedulerJson, RepeatOptions } from "bullmq";
import ms from "ms";
import { JobsError } from "../shared/errors.ts";
import { keepCompleted, keepFailed } from "../shared/queue/enqueue-options.ts";
import { forgetOutcome } from "../shared/queue/outcomes.ts";
import type { JobPayload } from "../shared/queue/payload.ts";
import { checkRedis } from "../shared/queue/redis-check.ts";
import { ownZone, parseZone } from "../shared/time-window.ts";
import { chooseHost } from "./enqueue.ts";
import { knownHosts } from "./hosts.ts";
import type { CheckedMigrate } from "./migrate-request.ts";
import type { CheckedRequest } from "./move-request.ts";
import type { Session } from "./session.ts";
import { fitTarget, lookAtFarm } from "./target-host.ts";

/** A job that comes again and again. */
export interface Schedule {
  name: string;
  /** In whose queue it stands. */
  host: string;
  job: string;
  area: string;
  /** A cron pattern, read in the zone `tz`; null where it has an interval. */
  cron: string | null;
  tz: string | null;
  /** Ms; null where it has a pattern. */
  every: number | null;
  /** When its next turn comes, ISO 8601. */
  next: string | null;
  /** Its turn came over a minute ago and nobody took it: no worker serves the host, or it is busy. */
  overdue: boolean;
  requestedBy: string;
  /** What each job is asked for. */
  data: JobPayload;
}

export interface ScheduleOptions {
  /** Unique among all hosts; made of the job's and the area's names unless given. */
  name?: string | undefined;
  cron?: string | undefined;
  /** Ms, a minute or more. */
  every?: number | undefined;
  /** Time zone of `cron`, and of the request's `between` where that has none; this process's own unless given. */
  tz?: string | undefined;
}

const minute = 60_000;

/** A turn only adds the job proper: it is kept as other jobs are. */
const turnOptions = { removeOnComplete: keepCompleted, removeOnFail: keepFailed, keepLogs: 100, attempts: 8 };

/**
 * Repeats a job by a cron pattern or an interval: a reduce in the queue of the area's homehost, a migration in that of
 * the host that is to be the home.
 * @throws {JobsError} `usage` for what is no schedule, a take-over, or a name that is in use; as `enqueueJob` and
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
  const taken = (await listSchedules(session)).find((schedule) => schedule.name === name);
  if (taken !== undefined) {
    throw new JobsError("usage", `there is a schedule ${name} already, for ${taken.area}`, {
      hint: `give this one a --name, or remove the other first: mtjobs schedule remove ${name}`,
      details: { name, host: taken.host },
    });
  }
  const { host, payload } = await placeOf(session, checked, tz);
  const data = { ...payload, schedule: name };
  await session.queue(host).upsertJobScheduler(name, repeat, { name: job, data, opts: turnOptions });
  const added = await session.queue(host).getJobScheduler(name);
  if (added === undefined) throw new JobsError("internal", `the schedule ${name} was removed just now`);
  return viewSchedule(host, added);
}

/** Whose queue a schedule stands in, and what each of its jobs is asked for. */
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
      "a take-over cannot be repeated: a person must see each time that the old home is off",
      {
        hint: "leave the take-over out of the schedule; when a host is lost: mtjobs migrate AREA --takeover",
      },
    );
  }
  const { host } = fitTarget(payload.to, await lookAtFarm(session));
  return { host, payload: { ...payload, to: host } };
}

function checkName(name: string): string {
  // "id" is the name of a key of BullMQ's own.
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name) && name !== "id") return name;
  throw new JobsError("usage", `--name: "${name.slice(0, 120)}" cannot be a schedule's name`, {
    hint: "letters, digits, dots, dashes and underscores, a hundred at most",
  });
}

async function checkRepeat({ cron, every, tz = ownZone() }: ScheduleOptions): Promise<RepeatOptions> {
  if ((cron === undefined) === (every === undefined)) {
    throw new JobsError("usage", "a schedule needs either --cron or --every", {
      hint: 'say when: --cron "0 2 * * *" for two o\'clock each night, or --every 12h',
    });
  }
  if (every !== undefined) {
    if (every >= minute) return { every };
    throw new JobsError("usage", "--every: less than a minute is too often", {
      hint: "a minute is the least: --every 1m",
    });
  }
  parseZone(tz, "--tz");
  const { getNextMillis } = await import("bullmq");
  const pattern = cron ?? "";
  const turns: number[] = [];
  for (let from = Date.now(); turns.length < turnsLookedAt; from = turns.at(-1) ?? from) {
    const next = nextTurn(() => getNextMillis(from, { pattern, tz }));
    if (next === undefined) break;
    turns.push(next);
  }
  const hint =
    'write minute, hour, day of month, month and day of week, as in "0 2 * * 1-5"; of seconds, in front of them, only one may be named';
  // The parser takes an empty pattern for every minute.
  if (pattern.trim() === "" || turns.length === 0)
    throw new JobsError("usage", `--cron: "${pattern}" is no cron pattern, or never comes`, { hint });
  if (turns.some((turn, n) => n > 0 && turn - (turns[n - 1] ?? turn) < minute))
    throw new JobsError("usage", `--cron: "${pattern}" comes more than once a minute`, { hint });
  return { pattern, tz };
}

/** A pattern that names several seconds of a minute does so in each of its minutes: the first few turns show it. */
const turnsLookedAt = 4;

/** Undefined where the parser does not understand the pattern, or finds no time that fits it. */
function nextTurn(parse: () => number | undefined): number | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

/** The schedules in all hosts' queues, by name. */
export async function listSchedules(session: Session): Promise<Schedule[]> {
  const hosts = await knownHosts(session);
  const found = await Promise.all(
    hosts.map(async (host) =>
      (await session.queue(host).getJobSchedulers()).map((schedule) => viewSchedule(host, schedule)),
    ),
  );
  return found.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
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
    requestedBy: data.requestedBy ?? "unknown",
    data: data as JobPayload,
  };
}

/** When a schedule's turns come, for people. */
export function oftenText({ cron, tz, every }: Schedule): string {
  return cron === null ? `every ${ms(every ?? 0)}` : `${cron} (${tz})`;
}

/** Ends a schedule; a job that it added goes on. @throws {JobsError} `usage` where there is none of that name */
export async function removeSchedule(session: Session, name: string): Promise<Schedule> {
  const schedules = await listSchedules(session);
  const named = schedules.filter((schedule) => schedule.name === name);
  const [first] = named;
  if (first === undefined) {
    throw new JobsError("usage", `there is no schedule ${name}`, {
      hint: `there ${schedules.length === 0 ? "is none" : `are ${schedules.map((each) => each.name).join(", ")}`}`,
    });
  }
  for (const { host } of named) await session.queue(host).removeJobScheduler(name);
  const { redis, settings } = session;
  await forgetOutcome(redis, settings.prefix, { kind: "schedule", name, area: first.area });
  return first;
}
