import { existsSync, statSync } from "node:fs";
import { type Area, openAreaUnchecked } from "../../shared/area/area.ts";
import { readAreaId } from "../../shared/area/area-id.ts";
import { findCache } from "../../shared/area/cache/cache.ts";
import { findOtherCaches } from "../../shared/area/cache/single-cache.ts";
import { readPolicies } from "../../shared/area/config/policies.ts";
import { type PolicyJob, policySections } from "../../shared/area/config/policy-name.ts";
import { readHistory } from "../../shared/area/history.ts";
import { decideHome, readHomehost } from "../../shared/area/homehost.ts";
import { findPause } from "../../shared/area/pause.ts";
import { liveServers } from "../../shared/area/servers.ts";
import { cacheReader } from "../../shared/area-db/read-cache.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { AreaStatus } from "../contract/area.ts";
import { areaPath } from "./area-path.ts";
import { openReadonly } from "./open-readonly.ts";
import { readDatabases } from "./read-databases.ts";

const historyShown = 5;

/**
 * Reads an area's status without changing anything. `problems` lists what cannot be read.
 * @throws {JobsError} `not-an-area`, `outside-roots` or `bad-config` if the path is not a usable area
 */
export async function areaStatus(
  path: string,
  { settings, cwd, env }: { settings: Settings; cwd: string; env: NodeJS.ProcessEnv },
): Promise<AreaStatus> {
  const area = openAreaUnchecked(areaPath(cwd, path), settings, env);
  const problems: string[] = [];
  const attempt = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      problems.push(toJobsError(error).message);
      return otherwise;
    }
  };
  const homehost = attempt(() => readHomehost(area), { value: undefined, pinned: false });
  const home = await decideHome(homehost, settings);
  const pair = attempt(() => findCache(area, settings), null);
  const cache = pair ?? undefined;
  // A cache of this area under another name makes jobs refuse.
  if (pair === undefined && home.atHome !== false)
    problems.push(...attempt(() => misnamedCaches(area, settings), []));
  const facts = readDatabases(area, cache);
  const servers = attempt(() => liveServers(area, Date.now(), settings.host), []);
  const areaId = attempt(() => readAreaId(area), null);
  const history = attempt(() => readHistory(area, { limit: historyShown }), []).reverse();
  const found = (["reduce", "purge"] as const).map((job) => policiesOf(area, job));
  return {
    area: area.path,
    areaId,
    name: area.name,
    homehost: homehost.value ?? null,
    pinned: homehost.pinned,
    atHome: home.atHome ?? null,
    homeReason: home.reason,
    cache: cache?.directory ?? null,
    bytes: sizes(area, cache),
    servers: servers.filter(({ state }) => state !== "stale"),
    history,
    policies: found.flatMap(({ lines }) => lines),
    paused: (await findPause(area.realPath, settings.areas)) ?? null,
    ...facts,
    cacheOnlyRuns: pair === null ? null : facts.cacheOnlyRuns,
    problems: [
      ...facts.problems,
      ...problems,
      ...found.flatMap((each) => each.problems),
      ...area.config.warnings,
    ],
  };
}

/** Returns the valid lines of a section, as the config has them, and what is wrong with the others. */
export function policiesOf({ config }: Area, job: PolicyJob) {
  const { policies, problems } = readPolicies(config, job);
  const lines = policies.map(({ name, request, everyMs }) => ({
    name,
    text: config.get(policySections[job], name) ?? "",
    request,
    everyMs,
    ...(job === "reduce" ? {} : { job }),
  }));
  return { lines, problems };
}

function misnamedCaches(area: Area, settings: Settings): string[] {
  const completed = existsSync(area.completedDb) ? area.completedDb : undefined;
  const { used } = findOtherCaches(area, settings, cacheReader(area, completed, openReadonly));
  const misnamed = used.filter(({ why }) => why === "misnamed");
  return misnamed.map(({ directory, reason }) => `the cache ${directory} ${reason}: see mtjobs doctor`);
}

function sizes(
  area: Area,
  cache: { megatestDb: string; refDb: string | undefined } | undefined,
): Record<string, number> {
  const files: [string, string | undefined][] = [
    ["megatest.db", area.megatestDb],
    ["completed-runs.db", area.completedDb],
    ["cache/megatest.db", cache?.megatestDb],
    ["cache/megatest_ref.db", cache?.refDb],
  ];
  return Object.fromEntries(
    files.flatMap(([name, file]) => {
      const size = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })?.size;
      return size === undefined ? [] : [[name, size]];
    }),
  );
}
