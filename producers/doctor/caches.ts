import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FoundCache } from "../../shared/area/foreign-caches.ts";
import { targetKeys } from "../../shared/area/keys.ts";
import { refillDue } from "../../shared/area/mtime.ts";
import { findOtherCaches, selectedOf, usedText } from "../../shared/area/single-cache.ts";
import { JobsError } from "../../shared/errors.ts";
import { findStrangePart } from "../../shared/sqlite/one-area.ts";
import { cacheReader } from "../../shared/sqlite/read-cache.ts";
import { isoTime } from "../iso-time.ts";
import { openLook, type Part } from "../open-look.ts";
import { agoText } from "../text/amounts.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import type { Patient } from "./patient.ts";

/** Every cache pair of the area on this host, who has it open, and the state of the one a job works on. */
export async function checkCaches(patient: Patient): Promise<Check[]> {
  if (patient.home.atHome === false) {
    return [note("caches", "this is not the homehost: caches that count are on its local disk")];
  }
  return [
    ...(await examine("caches", () => checkPairs(patient))),
    ...(await examine("cache", () => checkOwn(patient))),
    ...(await examine("one-area", () => checkOneArea(patient))),
  ];
}

/** What counts as in use is what a job refuses. */
function checkPairs({ area, settings, files }: Patient): Check[] {
  const read = cacheReader(area, files.completed, openLook);
  const { caches, warnings, used, ofOtherAreas } = findOtherCaches(area, settings, read);
  const details = {
    caches: caches.map(({ mtimeMs, ...rest }) => ({ ...rest, changedAt: isoTime(mtimeMs) })),
  };
  const isOthers = ({ directory }: FoundCache) => ofOtherAreas.includes(directory);
  const told = caches.map((cache) => describe(cache, isOthers(cache))).join("; ");
  const unseen: Check[] =
    warnings.length === 0
      ? []
      : [note("caches-unseen", warnings.join("; "), { remedy: "run it as root to see them all" })];
  if (used.length > 0) {
    const { message, hint } = usedText(selectedOf(caches), used);
    return [bad("caches", message, { remedy: hint, details }), ...unseen];
  }
  return [
    good("caches", caches.length === 0 ? "there is no cache on this host" : told, { details }),
    ...unseen,
  ];
}

function describe(
  { directory, owner, openBy, mtimeMs, selected, mayWrite }: FoundCache,
  isOthers: boolean,
): string {
  const holders =
    openBy === "unknown"
      ? "who has it open cannot be seen"
      : openBy.length === 0
        ? "nobody has it open"
        : `open in process ${openBy.join(", ")}`;
  const counts = mayWrite
    ? isOthers
      ? "holds no run of this area, so it does not count, "
      : ""
    : "who may not write to megatest.db, so it does not count, ";
  const which = selected ? "the one jobs work on, " : "";
  return `${directory} (${which}of ${owner}, ${counts}changed ${agoText(isoTime(mtimeMs))}, ${holders})`;
}

function checkOwn({ area, cache }: Patient): Check[] {
  if (cache instanceof JobsError) throw cache;
  if (cache === undefined) {
    return [
      good("cache", "this user has no cache here: megatest.db alone counts, and Megatest fills one from it"),
    ];
  }
  const missing = [".ready-megatest", ".ready-megatest_ref"].filter(
    (name) => !existsSync(join(cache.directory, name)),
  );
  if (cache.refDb === undefined) missing.push("megatest_ref.db");
  if (missing.length > 0) {
    return [
      note("cache", `the cache lacks ${missing.join(", ")}: Megatest makes it anew when it next opens it`, {
        remedy: "start Megatest once, and let it sync",
      }),
    ];
  }
  if (refillDue(area, cache)) {
    return [
      note("cache", "megatest.db is newer than the cache: whoever of Megatest opens it next refills it", {
        remedy: "nothing: a job brings both together first",
      }),
    ];
  }
  return [good("cache", "the cache is whole, and no refill is due")];
}

/** A job makes sure of the same before it changes anything. */
function checkOneArea({ area, cache, files }: Patient): Check[] {
  if (cache === undefined || cache instanceof JobsError) return [];
  const db = openLook(files);
  try {
    const strange = findStrangePart(db, targetKeys(area.config), Object.keys(files) as Part[]);
    if (strange === undefined) return [good("one-area", "cache and megatest.db are of one area")];
    return [
      bad("one-area", `${files[strange]} has no run in common with megatest.db: it is another area's`, {
        remedy: "see how it came there, and move it away: Megatest makes this area's cache anew",
      }),
    ];
  } finally {
    db.close();
  }
}
