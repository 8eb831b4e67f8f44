import { existsSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readAreaId } from "../../../shared/area/area-id.ts";
import { assertReadWrite } from "../../../shared/area/cache/assert-read-write.ts";
import { readPolicies } from "../../../shared/area/config/policies.ts";
import { type PolicyJob, policySections } from "../../../shared/area/config/policy-name.ts";
import { assertPlainHistory, assertWritableHistory } from "../../../shared/area/history.ts";
import { homeText, isLoopback } from "../../../shared/area/homehost.ts";
import { findPause } from "../../../shared/area/pause.ts";
import { spanText } from "../../../shared/area/servers.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import type { Check } from "../../contract/area.ts";
import { bad, examine, good, note, refused } from "./check.ts";
import type { DoctorContext } from "./context.ts";

/** Checks what the directory tells without opening a database: config, homehost, servers, owners, id, space. */
export async function checkLocation(context: DoctorContext): Promise<Check[]> {
  return [
    ...checkConfig(context),
    ...checkPolicies(context, "reduce"),
    ...checkPolicies(context, "purge"),
    ...(await checkPause(context)),
    checkHomehost(context),
    ...checkPinned(context),
    checkServers(context),
    ...(await examine("owners", () => [checkOwners(context)])),
    ...(await examine("history", () => [checkHistory(context)])),
    ...(await examine("area-id", () => [checkAreaId(context)])),
    ...(await examine("free-space", () => checkSpace(context))),
  ];
}

function checkConfig({ area }: DoctorContext): Check[] {
  const { warnings } = area.config;
  if (warnings.length === 0) return [good("config", "megatest.config was read completely")];
  const verdict = `parts of megatest.config were not read: ${warnings.join("; ")}`;
  return [
    note("config", verdict, { remedy: "make sure that none of it sets the area's name or its homehost" }),
  ];
}

/** Returns nothing if the config has no policies. */
function checkPolicies({ area }: DoctorContext, job: PolicyJob): Check[] {
  const { policies, problems } = readPolicies(area.config, job);
  const subject = policySections[job];
  const names = policies.map(({ name }) => name);
  const details = { policies: names, problems };
  if (problems.length > 0) {
    const remedy =
      "correct what is named, in megatest.config or in mtjobs.config of the root; other lines are in effect";
    return [bad(subject, problems.join("; "), { remedy, details })];
  }
  if (names.length === 0) return [];
  return [good(subject, `the config schedules ${job}s: ${names.join(", ")}`, { details })];
}

async function checkPause({ area, settings }: DoctorContext): Promise<Check[]> {
  const file = await findPause(area.realPath, settings.areas);
  if (file === undefined) return [];
  return [
    note("paused", `jobs are paused by ${file}`, {
      remedy: "delete it to resume them",
      details: { file, refusal: "paused" },
    }),
  ];
}

function checkHomehost({ area, homehost, home, settings }: DoctorContext): Check {
  if (homehost instanceof JobsError) return refused("homehost", homehost);
  if (homehost.value === undefined && existsSync(area.homehostFile)) {
    return bad(
      "homehost",
      ".homehost is empty: Megatest treats no host as the homehost, and none becomes it",
      {
        remedy: "stop Megatest, then write the address of the host that has the area's cache into it",
      },
    );
  }
  if (homehost.value === undefined) {
    return bad(
      "homehost",
      ".homehost is missing or empty: the first host to use the area becomes its homehost",
      {
        remedy: "start Megatest once on the host that should be the homehost",
      },
    );
  }
  const details = { homehost: homehost.value, host: settings.host };
  if (home.atHome === true && isLoopback(homehost.value) && settings.address === undefined) {
    const verdict = `${home.reason}, which is a loopback address: every host whose name resolves only to it considers itself the homehost`;
    return note("homehost", verdict, {
      remedy: `make another address of ${settings.host} resolvable, then stop Megatest and write that address into .homehost`,
      details,
    });
  }
  if (home.atHome === true) return good("homehost", home.reason, { details });
  return note("homehost", `${home.reason}: only that host can check the caches and who uses them`, {
    remedy: `also run mtjobs doctor on ${homeText(homehost.value)}; if this host is the homehost, set MTJOBS_ADDRESS=${homehost.value}`,
    details: home.atHome === false ? { ...details, refusal: "not-home" } : details,
  });
}

function checkPinned({ homehost }: DoctorContext): Check[] {
  if (homehost instanceof JobsError) return [];
  return homehost.pinned
    ? [note("pinned", "[server] homehost in megatest.config pins the area: .homehost is ignored")]
    : [good("pinned", "the config does not pin the area to a host")];
}

function checkServers({ servers }: DoctorContext): Check {
  if (typeof servers === "string") return bad("servers", `cannot read logs/: ${servers}`);
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
    return note("servers", `a server's process is alive but its log is silent: ${names(silent)}`, {
      remedy: "check whether it hangs; Megatest's clients consider it dead and start another",
    });
  }
  if (ahead.length > 0) {
    return note(
      "servers",
      `a server's log is dated in the future, so that the server seems alive: ${names(ahead)}`,
      {
        remedy:
          "check whether the process is alive; if not, correct the log's time: touch logs/server-PID-HOST.log",
      },
    );
  }
  return alive.length > 1
    ? note("servers", `${alive.length} servers are alive: ${names(alive)}`, {
        remedy: "one is enough: let Megatest stop the others",
      })
    : good("servers", alive.length === 1 ? `one server is alive: ${names(alive)}` : "no server is alive");
}

function checkOwners({ area, cache, settings, worksHere }: DoctorContext): Check {
  try {
    assertReadWrite(area, cache instanceof JobsError ? undefined : cache, settings);
    return good("owners", "this user can read and write all files that a job uses");
  } catch (error) {
    if (worksHere) throw error;
    const { code, message, details } = toJobsError(error);
    return note(
      "owners",
      `this server only reads the area (${message}); whether its worker can write is unknown`,
      {
        remedy: "to see it, run mtjobs doctor on the homehost as the user of its worker",
        details: { ...details, code },
      },
    );
  }
}

function checkHistory(context: DoctorContext): Check {
  // That this user may not write here at all is said by `owners`, once.
  if (mayWrite(context)) assertWritableHistory(context.area);
  else assertPlainHistory(context.area);
  return good("history", "a job can append to .mtjobs/history.jsonl");
}

function mayWrite({ area, cache, settings }: DoctorContext): boolean {
  try {
    assertReadWrite(area, cache instanceof JobsError ? undefined : cache, settings);
    return true;
  } catch {
    return false;
  }
}

function checkAreaId({ area }: DoctorContext): Check {
  const id = readAreaId(area);
  if (id !== null) return good("area-id", `the area's id is ${id}`);
  return existsSync(join(area.privateDir, "area-id"))
    ? note("area-id", "the id is damaged, or belongs to the area that this one was copied from", {
        remedy: "none needed: the next job creates a new id",
      })
    : good("area-id", "the area has no id yet; the first job creates it");
}

/** Copies need as much space as the runs they hold; a vacuum needs twice the file's size. */
function checkSpace({ area, files }: DoctorContext): Check[] {
  const { bavail, bsize } = statfsSync(area.realPath);
  const free = bavail * bsize;
  const needed = files.area === undefined ? 0 : statSync(files.area).size;
  const details = { freeBytes: free, megatestDbBytes: needed };
  const remedy = "free some space before a reduce";
  if (free < Math.max(needed / 10, 1_000_000))
    return [bad("free-space", "the area's file system is almost full", { remedy, details })];
  if (free < 2 * needed) {
    const verdict = "less than twice the size of megatest.db is free; a vacuum may be skipped";
    return [note("free-space", verdict, { remedy, details })];
  }
  return [good("free-space", "there is enough space for a reduce and a vacuum", { details })];
}
