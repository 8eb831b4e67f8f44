import { existsSync } from "node:fs";
import { ensureAreaId } from "../../shared/area/area-id.ts";
import { createLike, ensurePrivateDir } from "../../shared/area/ownership.ts";
import { ensureCompletedDb, newCompletedDb } from "./completed-db.ts";
import { assertNoJournalLeft } from "./databases.ts";
import { assertCompletedKept } from "./lost-completed.ts";
import type { OpenedArea } from "./prepare.ts";

/** Creates the program's files in the area if missing, and returns the area's id. Replaces nothing. */
export function prepareArea({ area, files }: Pick<OpenedArea, "area" | "files">): string {
  assertNoJournalLeft(files);
  assertCompletedKept(files);
  ensurePrivateDir(area);
  const areaId = ensureAreaId(area);
  const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
  // Created with its content: an empty file would be taken for one whose runs are lost.
  if (!existsSync(files.completed)) createLike(files.completed, files.area, newCompletedDb(sources));
  ensureCompletedDb(files.completed, sources);
  return areaId;
}
