import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FoundCache } from "../../../shared/area/cache/find-caches.ts";
import { refillDue } from "../../../shared/area/cache/mtime.ts";
import { hostUnseen, seesHostProcesses } from "../../../shared/area/cache/open-files.ts";
import { findOtherCaches, severalCaches } from "../../../shared/area/cache/single-cache.ts";
import { cacheReader } from "../../../shared/area-db/read-cache.ts";
import { assertOneArea } from "../../../shared/area-db/requirements.ts";
import { JobsError } from "../../../shared/errors.ts";
import { agoText } from "../../../shared/text.ts";
import { isoTime } from "../../areas/iso-time.ts";
import { openReadonly } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { examine, good, note, refused } from "./check.ts";
import type { DoctorContext } from "./context.ts";

/**
 * Checks every cache pair of the area on this host, the processes that have it open, and the state of the pair that
 * jobs use.
 */
export async function checkCaches(context: DoctorContext): Promise<Check[]> {
  if (context.home.atHome === false) {
    return [note("caches", "this is not the homehost: the caches that matter are on its local disk")];
  }
  return [
    ...(await examine("caches", () => checkPairs(context))),
    ...(await examine("cache", () => checkOwn(context))),
    ...(await examine("one-area", () => checkOneArea(context))),
  ];
}

/** Uses the same definition of "in use" as the jobs that refuse to run. */
function checkPairs({ area, settings, files }: DoctorContext): Check[] {
  const read = cacheReader(area, files.completed, openReadonly);
  const found = findOtherCaches(area, settings, read);
  const { caches, warnings, ofOtherAreas } = found;
  const details = {
    caches: caches.map(({ mtimeMs, ...rest }) => ({ ...rest, changedAt: isoTime(mtimeMs) })),
  };
  const isOthers = ({ directory }: FoundCache) => ofOtherAreas.includes(directory);
  const described = caches.map((cache) => describe(cache, isOthers(cache))).join("; ");
  const unseen: Check[] =
    warnings.length === 0
      ? []
      : [note("caches-unseen", warnings.join("; "), { remedy: "run it as root to see them all" })];
  const refusal = severalCaches(found);
  if (refusal !== undefined) return [refused("caches", refusal, { details }), ...unseen];
  if (caches.length > 0 && !seesHostProcesses())
    return [note("caches", `${described}; ${hostUnseen}`, { remedy: onTheHost, details }), ...unseen];
  return [good("caches", caches.length === 0 ? "no cache on this host" : described, { details }), ...unseen];
}

const onTheHost =
  "to see who has them open, run mtjobs doctor on the host itself, or in a container with its processes (--pid=host)";

function describe(
  { directory, owner, openBy, mtimeMs, selected, mayWrite }: FoundCache,
  isOthers: boolean,
): string {
  const holders =
    openBy === "unknown"
      ? "cannot tell which processes have it open"
      : openBy.length === 0
        ? "not open in any process"
        : `open in process ${openBy.join(", ")}`;
  const counts = mayWrite
    ? isOthers
      ? "contains no run of this area and is ignored, "
      : ""
    : "cannot write to megatest.db and is ignored, ";
  const which = selected ? "used by jobs, " : "";
  return `${directory} (${which}owner ${owner}, ${counts}changed ${agoText(isoTime(mtimeMs))}, ${holders})`;
}

function checkOwn({ area, cache }: DoctorContext): Check[] {
  if (cache instanceof JobsError) throw cache;
  if (cache === undefined) {
    return [
      good(
        "cache",
        "this user has no cache on this host; Megatest fills one from megatest.db when it needs it",
      ),
    ];
  }
  const missing = [".ready-megatest", ".ready-megatest_ref"].filter(
    (name) => !existsSync(join(cache.directory, name)),
  );
  if (cache.refDb === undefined) missing.push("megatest_ref.db");
  if (missing.length > 0) {
    return [
      note("cache", `the cache lacks ${missing.join(", ")}; Megatest recreates it when it next opens it`, {
        remedy: "start Megatest once and let it sync",
      }),
    ];
  }
  if (refillDue(area, cache)) {
    return [
      note("cache", "megatest.db is newer than the cache; Megatest refills the cache when it next opens it", {
        remedy: "none needed: a job reconciles the two first",
      }),
    ];
  }
  return [good("cache", "the cache is complete and needs no refill")];
}

function checkOneArea({ area, cache, files }: DoctorContext): Check[] {
  if (cache === undefined || cache instanceof JobsError) return [];
  assertOneArea(area, files, openReadonly);
  return [good("one-area", "cache and megatest.db belong to the same area")];
}
