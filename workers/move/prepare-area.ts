import { existsSync, statSync } from "node:fs";
import { ensureAreaId } from "../../shared/area/area-id.ts";
import { createLike, ensurePrivateDir } from "../../shared/area/ownership.ts";
import { ensureCompletedDb } from "./completed-db.ts";
import type { Place } from "./prepare.ts";

/** Creates what of ours the area lacks, and gives its id. Every part may be there already; none replaces anything. */
export function prepareArea({ area, files }: Pick<Place, "area" | "files">): string {
  ensurePrivateDir(area);
  const areaId = ensureAreaId(area);
  if (!existsSync(files.completed) || statSync(files.completed).size === 0)
    createLike(files.completed, files.area);
  ensureCompletedDb(files.completed, [files.area, ...(files.cache === undefined ? [] : [files.cache])]);
  return areaId;
}
