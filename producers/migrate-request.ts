import { type Area, openAllowedArea } from "../shared/area/area.ts";
import { readHomehost } from "../shared/area/homehost.ts";
import { parseDuration } from "../shared/duration.ts";
import { JobsError } from "../shared/errors.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import type { MigratePayload } from "../shared/queue/migrate-payload.ts";
import { newJobId } from "../shared/queue/names.ts";
import { checkRedis } from "../shared/queue/redis-check.ts";
import { areaPath } from "./area-path.ts";
import type { Enqueued } from "./enqueue.ts";
import { lookForJob } from "./find-job.ts";
import type { Duration } from "./move-options.ts";
import { type RequestPlace, requester } from "./move-request.ts";
import type { Session } from "./session.ts";
import { fitTarget, lookAtFarm } from "./target-host.ts";

/** How an area is to move to another host. */
export interface MigrateOptions {
  /** Name or address of the host that becomes the homehost; this host unless said otherwise. */
  to?: string;
  /** Name or address that the caller takes for the homehost; another one is refused. */
  from?: string;
  /** How long without a sign of life makes the area quiet; 30 minutes unless said otherwise. */
  quietFor?: Duration;
  /** Waits until it is quiet. */
  whenQuiet?: boolean;
  /** With `whenQuiet`: how long it may wait; 12 hours unless said otherwise. */
  deadline?: Duration;
  /** Ends Megatest's servers. */
  stopServers?: boolean;
  /** The homehost is gone: nothing can be asked of it. */
  takeover?: boolean;
  /** With `takeover`: a person has made sure that the homehost is off. */
  yes?: boolean;
  /** Also within 10 minutes of another migration. */
  now?: boolean;
  dryRun?: boolean;
  /** Name of what asks for it again and again; how its jobs end is told in `status` under that name. */
  schedule?: string;
}

/** A migration that may be enqueued. */
export interface CheckedMigrate {
  name: "migrate";
  payload: MigratePayload;
  area: Area;
}

/**
 * Checks what is asked before anything is sent or touched. The area's path keeps its links, as for other jobs.
 * @throws {JobsError} `usage`, `bad-payload`, `not-an-area`, `outside-roots`, `bad-config`; `pinned` (not in a dry run,
 *   which is to show all that speaks against it)
 */
export async function checkMigrate(
  path: string,
  options: MigrateOptions,
  { settings, cwd, env, requestedBy }: RequestPlace,
): Promise<CheckedMigrate> {
  const { yes, quietFor, deadline, to = settings.host, ...rest } = options;
  assertTogether(options);
  // Loaded here alone, and with zod: most commands ask for no migration.
  const { migrateSchema } = await import("../shared/queue/migrate-payload.ts");
  const parsed = migrateSchema.safeParse({
    ...rest,
    v: 1,
    area: areaPath(cwd, path),
    requestedBy: requestedBy ?? requester(settings),
    to,
    quietFor: milliseconds(quietFor, "quiet-for"),
    deadline: milliseconds(deadline, "deadline"),
    confirmed: yes,
  });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      ({ path, message }) => `${path.join(".") || "data"}: ${message}`,
    );
    throw new JobsError("bad-payload", `migrate: ${problems.join("; ")}`, { details: { problems } });
  }
  const area = openAllowedArea(parsed.data.area, settings, env);
  if (!parsed.data.dryRun) assertNotPinned(area);
  return { name: "migrate", payload: parsed.data, area };
}

function milliseconds(value: Duration | undefined, what: string): number | undefined {
  return typeof value === "string" ? parseDuration(value, what) : value;
}

function assertTogether({ whenQuiet, deadline, takeover, yes }: MigrateOptions): void {
  const wrong = (message: string, hint: string) => new JobsError("usage", message, { hint });
  if (deadline !== undefined && whenQuiet !== true)
    throw wrong("--deadline goes with --when-quiet", "add --when-quiet, or leave --deadline out");
  if (yes === true && takeover !== true)
    throw wrong("--yes goes with --takeover", "a planned migration needs no confirmation: leave --yes out");
  if (takeover === true && whenQuiet === true)
    throw wrong("--takeover waits for nothing", "nobody works on a host that is off: leave --when-quiet out");
}

function assertNotPinned(area: Area): void {
  const { pinned, value } = readHomehost(area);
  if (!pinned) return;
  throw new JobsError("pinned", `megatest.config pins the area to ${value}: [server] homehost`, {
    hint: "take that line out of megatest.config first, and see that .homehost names the same host",
    details: { homehost: value },
  });
}

/**
 * Adds a migration to the queue of the host that is to be the home, which coordinates it; `givenId` as for `enqueueJob`.
 * @throws {JobsError} `unfit-host` where no worker is known by that name, or it is not alive or drained; `bad-redis`
 */
export async function enqueueMigrate(
  session: Session,
  { payload }: CheckedMigrate,
  givenId?: string,
): Promise<Enqueued> {
  const { redis, settings } = session;
  await checkRedis(redis, settings.redisUrl);
  const { host } = fitTarget(payload.to, await lookAtFarm(session));
  const work = { ...payload, to: host };
  const wanted = givenId ?? newJobId("migrate");
  const known = givenId === undefined ? undefined : await lookForJob(session, givenId);
  const job =
    known?.job ?? (await session.queue(host).add("migrate", work, enqueueOptions("migrate", work, wanted)));
  const jobId = String(job.id);
  return { jobId, job: "migrate", area: work.area, host, duplicate: jobId !== wanted, served: true };
}
