import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import { targetKeys } from "../../shared/area/keys.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Part } from "../../shared/sqlite/connection.ts";
import { findStrangePart } from "../../shared/sqlite/one-area.ts";
import { openQuietly } from "./open-quietly.ts";

/**
 * Checks by content, not by name, that cache, ref and megatest.db belong to one area: a job removes moved runs from
 * all three. Changes nothing.
 *
 * @throws JobsError `conflict`
 */
export function assertOneArea(area: Area, cache: CachePair, completed: string | undefined): void {
  const files: Partial<Record<Part, string>> = {
    area: area.megatestDb,
    cache: cache.megatestDb,
    ...(cache.refDb === undefined ? {} : { ref: cache.refDb }),
    ...(completed === undefined ? {} : { completed }),
  };
  const db = openQuietly(files);
  try {
    const strange = findStrangePart(db, targetKeys(area.config), Object.keys(files) as Part[]);
    if (strange === undefined) return;
    const what = strange === "cache" ? "cache" : "cache's ref";
    throw new JobsError(
      "conflict",
      `the ${what} in ${cache.directory} has no run in common with ${area.megatestDb}: it belongs to another area`,
      {
        hint: "find out how it came there and move it away; Megatest then creates a cache for this area",
        details: { part: strange, directory: cache.directory },
      },
    );
  } finally {
    db.close();
  }
}
