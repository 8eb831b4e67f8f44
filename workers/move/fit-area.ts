import { assertFitSchemas } from "./completed-db.ts";
import { assertIdRoom } from "./id-room.ts";
import type { Files } from "./move.ts";
import type { Tally } from "./tally.ts";

/**
 * Makes sure that what the databases hold can be worked on, before anything is written: a job and its dry run say the same.
 * Opens the files, so ask about a refill and hot journals first.
 *
 * @param tally is told what completed-runs.db will not have
 * @throws JobsError `ids-used-up`, `unknown-schema`
 */
export function assertFit(files: Files, tally: Pick<Tally, "warn">): void {
  assertIdRoom(files);
  const sources = [files.area, ...(files.cache === undefined ? [] : [files.cache])];
  assertFitSchemas(sources, (sentence) => tally.warn(sentence));
}
