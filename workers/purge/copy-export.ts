import { toJobsError } from "../../shared/errors.ts";
import { copyPrivately, type PrivateCopy } from "../../shared/sqlite/private-copy.ts";
import { retryWhileBusy } from "../area-db/transaction.ts";
import { type Trust, trustedOwners } from "./exports-place.ts";
import { assertDatabaseFile, damagedExport } from "./read-export.ts";

/**
 * Copies an export to a private file: in its own directory another user may write to what is beside it, or put another
 * file in its place. Only the copy is opened.
 *
 * @param file as `assertExportFile` returns it
 * @throws JobsError `not-owner`; `bad-payload` if it is no database; `corrupt`; `busy` while it is being written to
 */
export async function copyExport(file: string, trust: Trust, signal: AbortSignal): Promise<PrivateCopy> {
  assertDatabaseFile(file);
  const expected = { uid: trustedOwners(trust), maxBytes: Number.MAX_SAFE_INTEGER, mayBeLinked: true };
  return await retryWhileBusy(signal, () => {
    try {
      return copyPrivately(file, expected);
    } catch (thrown) {
      const error = toJobsError(thrown);
      // Else it would be taken for damage to a database of the area.
      if (error.code === "corrupt") throw damagedExport(file, error.message);
      throw thrown;
    }
  });
}
