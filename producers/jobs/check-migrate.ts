import type { z } from "zod";
import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import type { MigratePayload, migrateSchema } from "../../shared/contract/migrate-payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { newJobId } from "../../shared/queue/names.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import { parseDuration } from "../../shared/time/duration.ts";
import { areaPath } from "../areas/area-path.ts";
import type { Enqueued } from "../contract/job.ts";
import { type RequestPlace, requester } from "./check-move.ts";
import { searchJob } from "./find-job.ts";
import type { Duration } from "./options.ts";
import type { Session } from "./session.ts";
import { fitTarget, readFleet } from "./target-host.ts";

export interface MigrateOptions
  extends Pick<
    z.input<typeof migrateSchema>,
    "from" | "whenQuiet" | "stopServers" | "takeover" | "now" | "dryRun" | "schedule"
  > {
  /** Name or address of the new homehost; default: this host. */
  to?: string | undefined;
  /** How long without activity makes the area quiet; default: 30 minutes. */
  quietFor?: Duration;
  /** With `whenQuiet`: the maximum wait; default: 12 hours. */
  deadline?: Duration;
  /** With `takeover`: a person has made sure that the homehost is off. */
  yes?: boolean | undefined;
}

/** A migration that may be enqueued. */
export interface CheckedMigrate {
  name: "migrate";
  payload: MigratePayload;
  area: Area;
}

/**
 * Checks a request before it is sent. The area's path keeps its symbolic links, as for other jobs.
 * @throws {JobsError} `usage`, `bad-payload`, `not-an-area`, `outside-roots`, `bad-config`; `pinned` (but a dry run
 *   lists it with all other obstacles)
 */
export async function checkMigrate(
  path: string,
  options: MigrateOptions,
  { settings, cwd, env, requestedBy }: RequestPlace,
): Promise<CheckedMigrate> {
  const { yes, quietFor, deadline, to = settings.host, ...rest } = options;
  assertTogether(options);
  // Imported here because zod is slow to load, and most commands need no migration.
  const { migrateSchema } = await import("../../shared/contract/migrate-payload.ts");
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
    throw wrong("--deadline requires --when-quiet", "add --when-quiet, or remove --deadline");
  if (yes === true && takeover !== true)
    throw wrong("--yes requires --takeover", "remove --yes: a planned migration needs no confirmation");
  if (takeover === true && whenQuiet === true)
    throw wrong(
      "--takeover and --when-quiet cannot be combined",
      "remove --when-quiet: a host that is off runs nothing",
    );
}

function assertNotPinned(area: Area): void {
  const { pinned, value } = readHomehost(area);
  if (!pinned) return;
  throw new JobsError("pinned", `[server] homehost in megatest.config pins the area to ${value}`, {
    hint: "remove that line from megatest.config first, and make sure that .homehost names the same host",
    details: { homehost: value },
  });
}

/**
 * Adds a migration to the queue of the new homehost, which coordinates it; `givenId` as for `enqueueJob`.
 * @throws {JobsError} `unfit-host` if no worker has that name, or it is not alive, or drained; `bad-redis`
 */
export async function enqueueMigrate(
  session: Session,
  { payload }: CheckedMigrate,
  givenId?: string,
): Promise<Enqueued> {
  const { redis, settings } = session;
  await checkRedis(redis, settings.redisUrl);
  const { host } = fitTarget(payload.to, await readFleet(session));
  const work = { ...payload, to: host };
  const wanted = givenId ?? newJobId("migrate");
  const known = givenId === undefined ? undefined : await searchJob(session, givenId);
  const job =
    known?.job ?? (await session.queue(host).add("migrate", work, enqueueOptions("migrate", work, wanted)));
  const jobId = String(job.id);
  return { jobId, job: "migrate", area: work.area, host, duplicate: jobId !== wanted, served: true };
}
