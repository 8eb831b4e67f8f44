import type { migrateFailpoints } from "../../../workers/area-db/failpoint-names.ts";
import type { Side } from "./fault-hosts.ts";

export interface FailpointCase {
  /** The side whose worker passes it. */
  on: Side;
  /**
   * An object: the migration must first fail, at this failpoint of that side. `divergent`: a process writes to the old
   * cache. `reused`: a closed pair of an earlier migration exists on the new home.
   */
  needs?: { errorOn: Side; at: string } | "divergent" | "reused";
}

const onOld: FailpointCase = { on: "old" };
const onNew: FailpointCase = { on: "new" };
const failing = { errorOn: "new", at: "pair-copied=error" } as const;

export const failpointCases: Record<(typeof migrateFailpoints)[number], FailpointCase> = {
  "migration-begun": onOld,
  "migration-gathered": onOld,
  "old-cache-closed": onOld,
  "old-ref-closed": onOld,
  "snapshot-written": onOld,
  "migration-closed": onOld,
  "pair-copied": onNew,
  "pair-replaced": { on: "new", needs: "reused" },
  "pair-installed": onNew,
  "migration-installed": onNew,
  "home-written": onNew,
  "intent-committed": onNew,
  "home-renamed": onNew,
  "migration-switched": onNew,
  "pair-opened": onNew,
  "stray-copied": { on: "old", needs: "divergent" },
  "stray-merged": { on: "new", needs: "divergent" },
  "migration-settled": onNew,
  "old-opened": { on: "old", needs: failing },
  "new-cleaned": { on: "new", needs: failing },
  "migration-undone": { on: "old", needs: failing },
};
