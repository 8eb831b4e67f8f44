import { openAllowedArea } from "../../shared/area/area.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import type { ErrorDocument } from "../../shared/error-document.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { isInside } from "../../shared/files/roots.ts";
import { clearDrained, hostNamed, setDrained } from "../../shared/queue/hosts.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { DrainResult, Undrained } from "../contract/schedule.ts";
import type { MigrateOptions } from "../jobs/check-migrate.ts";
import { requester } from "../jobs/check-move.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";
import { type Fleet, fitTarget, readFleet } from "../jobs/target-host.ts";
import { askFor, type DrainDeps, type DrainHooks, followAll } from "./drain-areas.ts";

/** Options of a drain; inherited ones apply to each migration. */
export interface DrainOptions extends Omit<MigrateOptions, "to" | "from" | "takeover" | "yes"> {
  /** Target hosts; by default all that are alive and not drained. */
  to?: readonly string[] | undefined;
  /** With `whenQuiet`: follows the migrations until they end anyway. */
  wait?: boolean;
}

/**
 * Marks `host` as drained, and requests the migration of each area below `settings.areas` whose homehost it is.
 * Without `whenQuiet` it follows them until they end; one refusal does not stop the others.
 * @throws {JobsError} `usage` if there is no such host, `unfit-host` if no host can take the areas, `bad-settings` without
 *   roots; nothing is marked then
 */
export async function drainHost(
  session: Session,
  host: string,
  options: DrainOptions,
  hooks: DrainHooks & DrainDeps,
): Promise<DrainResult> {
  const { to, wait, ...each } = options;
  const { redis, settings } = session;
  await checkRedis(redis, settings.redisUrl);
  const fleet = await readFleet(session);
  const names = namesOf(host, fleet);
  const targets = targetsOf(names, to, fleet);
  const dryRun = options.dryRun === true;
  assertRoots(settings);
  if (hostNamed(fleet.hosts, host) === undefined) await assertKnown(session, host, fleet, hooks.env);
  // First, so that no area moves to it during the scan.
  if (!dryRun) await setDrained(redis, settings.prefix, names[0], hooks.requestedBy ?? requester(settings));
  const survey = listHomes(settings, hooks.env);
  const result: DrainResult = {
    host: names[0],
    dryRun,
    drained: !dryRun,
    moved: [],
    stayed: survey.unclear.map(({ area, error }) => ({ area, code: error.code, message: error.message })),
    enqueued: [],
    warnings: [...survey.warnings],
  };
  const leaving = [...survey.homes].filter(([, home]) => home !== undefined && names.includes(home));
  const plan = assignTargets(
    leaving.map(([area]) => area),
    targets.map(({ host, address, areas }) => ({
      host,
      areas: countHomes(survey, [host, address]),
      roots: areas,
    })),
  );
  for (const [area] of leaving) await askFor(session, area, plan.get(area), each, hooks, result);
  const isFollowed = hooks.follow ?? (options.whenQuiet !== true || wait === true);
  if (isFollowed) await followAll(session, hooks, result);
  return result;
}

/** Lets a host take areas again. `was`: whether it had been drained. */
export async function undrainHost(session: Session, host: string): Promise<Undrained> {
  const [name] = namesOf(host, await readFleet(session));
  return {
    host: name,
    drained: false,
    was: await clearDrained(session.redis, session.settings.prefix, name),
  };
}

/** A host without a record may have a queue, a mark or areas; otherwise its name is wrong. */
async function assertKnown(
  session: Session,
  host: string,
  fleet: Fleet,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (fleet.drained.has(host) || (await knownHosts(session)).includes(host)) return;
  const { homes, unclear } = listHomes(session.settings, env);
  if ([...homes.values()].includes(host) || unclear.length > 0) return;
  const known = fleet.hosts.map((each) => each.host).join(", ");
  throw new JobsError(
    "usage",
    `no worker has the name or address ${host}, and no .homehost below the roots has it`,
    { hint: known === "" ? "no host has ever had a worker" : `hosts: ${known}`, details: { host } },
  );
}

/** Returns all names that `.homehost` may contain for the host, its queue's first. */
function namesOf(given: string, fleet: Fleet): [string, ...string[]] {
  const known = hostNamed(fleet.hosts, given);
  if (known === undefined) return [given];
  return [known.host, ...(known.address === null ? [] : [known.address])];
}

function targetsOf(names: readonly string[], to: readonly string[] | undefined, fleet: Fleet) {
  const targets =
    to?.map((name) => fitTarget(name, fleet)) ??
    fleet.hosts.filter(({ host, alive }) => alive && !fleet.drained.has(host) && !names.includes(host));
  if (targets.some(({ host }) => names.includes(host)))
    throw new JobsError("usage", `--to includes ${names[0]}, the host to drain`);
  if (targets.length > 0) return targets;
  throw new JobsError(
    "unfit-host",
    `no host can take the areas of ${names[0]}: no other host has a live worker and is not drained`,
    {
      hint: "start mtjobs worker on another host; mtjobs status lists them",
    },
  );
}

function countHomes({ homes }: ListedHomes, names: readonly (string | null)[]): number {
  return [...homes.values()].filter((home) => home !== undefined && names.includes(home)).length;
}

/** A host that may take areas. */
export interface HostLoad {
  host: string;
  /** Number of areas whose homehost it is. */
  areas: number;
  /** The roots that its worker may touch. */
  roots: readonly string[];
}

/**
 * Assigns each area to the host with the fewest areas, counting those already assigned, among those whose worker
 * may touch it; the first one on a tie. Areas that no host may take are missing from the result.
 */
export function assignTargets(areas: readonly string[], targets: readonly HostLoad[]): Map<string, string> {
  const loads = targets.map((target) => ({ ...target }));
  const plan = new Map<string, string>();
  for (const area of areas) {
    const allowed = loads.filter(({ roots }) => roots.some((root) => isInside(area, root)));
    const [first, ...others] = allowed;
    if (first === undefined) continue;
    const least = others.reduce((best, next) => (next.areas < best.areas ? next : best), first);
    least.areas++;
    plan.set(area, least.host);
  }
  return plan;
}

export interface ListedHomes {
  /** By path; undefined if the area has no homehost yet. */
  homes: Map<string, string | undefined>;
  /** Areas whose homehost could not be determined. */
  unclear: { area: string; error: ErrorDocument }[];
  /** Sentences on directories that could not be scanned. */
  warnings: string[];
}

/** @throws {JobsError} `bad-settings` if no roots are set to search */
function assertRoots({ areas }: Settings): void {
  if (areas.length > 0) return;
  throw new JobsError("bad-settings", "no roots to search for areas", {
    hint: "set MTJOBS_AREAS (--areas) as for the workers",
  });
}

/** Finds all areas below `settings.areas` and their homehosts; read-only. */
function listHomes(settings: Settings, env: NodeJS.ProcessEnv): ListedHomes {
  const survey: ListedHomes = { homes: new Map(), unclear: [], warnings: [] };
  for (const path of listAreas(settings.areas, { warn: (sentence) => survey.warnings.push(sentence) })) {
    try {
      survey.homes.set(path, readHomehost(openAllowedArea(path, settings, env)).value);
    } catch (error) {
      survey.unclear.push({ area: path, error: toJobsError(error).toDocument() });
    }
  }
  return survey;
}
