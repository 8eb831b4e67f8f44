import { existsSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readAreaId } from "../../shared/area/area-id.ts";
import { homeText, isLoopback } from "../../shared/area/homehost.ts";
import { assertReadWrite } from "../../shared/area/ownership.ts";
import { findPause } from "../../shared/area/pause.ts";
import { readPolicies } from "../../shared/area/reduce-policies.ts";
import { spanText } from "../../shared/area/servers.ts";
import { JobsError } from "../../shared/errors.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import type { Patient } from "./patient.ts";

/** What the directory says before any database is opened: config, homehost, servers, owners, id, space. */
export async function checkPlace(patient: Patient): Promise<Check[]> {
  return [
    ...checkConfig(patient),
    ...checkPolicies(patient),
    ...(await checkPause(patient)),
    checkHomehost(patient),
    ...checkPinned(patient),
    checkServers(patient),
    ...(await examine("owners", () => {
      const cache = patient.cache instanceof JobsError ? undefined : patient.cache;
      assertReadWrite(patient.area, cache, patient.settings);
      return [good("owners", "this user may read and write all that a job works on")];
    })),
    ...(await examine("area-id", () => [checkAreaId(patient)])),
    ...(await examine("free-space", () => checkSpace(patient))),
  ];
}

function checkConfig({ area }: Patient): Check[] {
  const { warnings } = area.config;
  if (warnings.length === 0) return [good("config", "megatest.config is read whole")];
  const verdict = `parts of megatest.config were not read: ${warnings.join("; ")}`;
  return [note("config", verdict, { remedy: "see that none of it names the area or its homehost" })];
}

/** Nothing where the config asks for nothing. */
function checkPolicies({ area }: Patient): Check[] {
  const { policies, problems } = readPolicies(area.config);
  const names = policies.map(({ name }) => name);
  const details = { policies: names, problems };
  if (problems.length > 0) {
    const remedy = "mend [reduce-records] in megatest.config; its other lines are followed";
    return [bad("reduce-records", problems.join("; "), { remedy, details })];
  }
  if (names.length === 0) return [];
  return [good("reduce-records", `the config asks for reduces: ${names.join(", ")}`, { details })];
}

async function checkPause({ area, settings }: Patient): Promise<Check[]> {
  const file = await findPause(area.realPath, settings.areas);
  if (file === undefined) return [];
  return [
    note("paused", `jobs are held by ${file}`, { remedy: "delete it to let them go on", details: { file } }),
  ];
}

function checkHomehost({ area, homehost, home, settings }: Patient): Check {
  if (typeof homehost === "string") {
    return bad("homehost", homehost, {
      remedy: "write the homehost's address or name, alone, into .homehost",
    });
  }
  if (homehost.value === undefined && existsSync(area.homehostFile)) {
    return bad("homehost", ".homehost is empty: to Megatest no host is the home, and none becomes it", {
      remedy: "with Megatest ended, write the address of the host that has the area's cache into it",
    });
  }
  if (homehost.value === undefined) {
    return bad(
      "homehost",
      ".homehost is missing or empty: the first to look makes its own host the homehost",
      {
        remedy: "start Megatest once on the host where the area shall live",
      },
    );
  }
  const details = { homehost: homehost.value, host: settings.host };
  if (home.atHome === true && isLoopback(homehost.value) && settings.address === undefined) {
    const verdict = `${home.reason}, which is loopback: each host whose name resolves to nothing else takes itself for the home`;
    return note("homehost", verdict, {
      remedy: `let the resolver know another address of ${settings.host}, then with Megatest ended write it into .homehost`,
      details,
    });
  }
  if (home.atHome === true) return good("homehost", home.reason, { details });
  return note("homehost", `${home.reason}: the caches, and who uses them, are seen only there`, {
    remedy: `run mtjobs doctor on ${homeText(homehost.value)} as well; if this host is it, set MTJOBS_ADDRESS=${homehost.value}`,
    details,
  });
}

function checkPinned({ homehost }: Patient): Check[] {
  if (typeof homehost === "string") return [];
  return homehost.pinned
    ? [note("pinned", "[server] homehost in megatest.config pins the area: .homehost is not looked at")]
    : [good("pinned", "the config does not pin the area to a host")];
}

function checkServers({ servers }: Patient): Check {
  if (typeof servers === "string") return bad("servers", `logs/ cannot be looked at: ${servers}`);
  const silent = servers.filter(({ state }) => state === "stale-alive");
  const alive = servers.filter(({ state }) => state === "live");
  const names = (some: typeof servers) =>
    some
      .map(({ pid, host, address, aheadMs }) => {
        const odd = aheadMs === undefined ? "" : ` (its log is dated ${spanText(aheadMs)} ahead)`;
        return `pid ${pid} at ${address ?? host}${odd}`;
      })
      .join(", ");
  const ahead = alive.filter(({ aheadMs }) => aheadMs !== undefined);
  if (silent.length > 0) {
    return note("servers", `a server's process lives and its log is silent: ${names(silent)}`, {
      remedy: "see whether it hangs; Megatest's clients take it for dead and start another",
    });
  }
  if (ahead.length > 0) {
    return note("servers", `a server's log is dated ahead, so that it looks alive: ${names(ahead)}`, {
      remedy:
        "see whether the process lives; if it does not, set the log's time: touch logs/server-PID-HOST.log",
    });
  }
  return alive.length > 1
    ? note("servers", `${alive.length} servers are alive: ${names(alive)}`, {
        remedy: "one is enough: let Megatest end the others",
      })
    : good("servers", alive.length === 1 ? `one server is alive: ${names(alive)}` : "no server is alive");
}

function checkAreaId({ area }: Patient): Check {
  const id = readAreaId(area);
  if (id !== null) return good("area-id", `the area's id is ${id}`);
  return existsSync(join(area.privateDir, "area-id"))
    ? note("area-id", "the id is damaged, or that of the area which this one is a copy of", {
        remedy: "the next job gives it an id of its own",
      })
    : good("area-id", "the area has no id yet: the first job makes it");
}

/** Copies take as much as the runs they hold; a vacuum twice the file. */
function checkSpace({ area, files }: Patient): Check[] {
  const { bavail, bsize } = statfsSync(area.realPath);
  const free = bavail * bsize;
  const needed = files.area === undefined ? 0 : statSync(files.area).size;
  const details = { freeBytes: free, megatestDbBytes: needed };
  const remedy = "free some space before a reduce";
  if (free < Math.max(needed / 10, 1_000_000))
    return [bad("free-space", "the area's file system is all but full", { remedy, details })];
  if (free < 2 * needed) {
    const verdict = "there is less room than megatest.db takes twice: it may not be vacuumed";
    return [note("free-space", verdict, { remedy, details })];
  }
  return [good("free-space", "there is room for a reduce and a vacuum", { details })];
}
