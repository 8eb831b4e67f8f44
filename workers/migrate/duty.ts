import type { MigrationRow } from "../../shared/migration-row.ts";
import type { MigrationFiles } from "./migration-files.ts";

/** What a migration leaves for a host to do; done by `tend`, in this order until nothing is left. */
export type Duty =
  | "decide"
  | "open-old"
  | "clean-new"
  | "finish-undo"
  | "open-new"
  | "watch"
  | "settle"
  | "tidy";

/** Which part a host plays in a migration; one that is neither has no duty. */
export type Side = "old" | "new";

export interface MigrationStand {
  row: MigrationRow;
  files: MigrationFiles;
  /** Some part of this migration is at work, or may be taken up within its hand-over time. */
  leaseAlive: boolean;
  /** Ms since its row was changed last. */
  idleMs: number;
}

export function sideOf(row: Pick<MigrationRow, "from_host" | "to_host">, host: string): Side | undefined {
  if (row.from_host === host) return "old";
  return row.to_host === host ? "new" : undefined;
}

/**
 * What one side has to do, by the row, the files and nothing else. While a pair is open only its host writes to
 * megatest.db: so `old` alone acts on the row in `closing` and `undoing`, `new` alone once its pair is open.
 */
export function dutyOf(stand: MigrationStand, side: Side): Duty | undefined {
  const { row, files, leaseAlive } = stand;
  switch (row.state) {
    case "closing":
      return side === "old" && !leaseAlive ? "decide" : undefined;
    case "closed":
    case "installed":
    case "intent":
      return leaseAlive ? undefined : "decide";
    case "undoing":
      if (side === "old") return undoingOnOld(stand);
      return isNewClean(row, files) ? undefined : "clean-new";
    case "switched":
      return side === "old" ? watching(files) : settling(stand);
    case "settled":
      return side === "new" && files.there ? "tidy" : undefined;
    case "undone":
      return side === "old" && files.there ? "tidy" : undefined;
  }
}

/** How long a new home may take to clean up before the old one ends the undoing without it, ms. */
const cleanPatienceMs = 10 * 60_000;

function undoingOnOld({ row, files, idleMs }: MigrationStand): Duty | undefined {
  if (row.old_ready === 0) return "open-old";
  // What is left on a new home that does not come back is closed, under no name that anybody looks for, or swept later.
  return isNewClean(row, files) || idleMs > cleanPatienceMs ? "finish-undo" : undefined;
}

/** Before the pair was closed with its digests the new home has nothing that is to be removed. */
export function isNewClean(row: MigrationRow, files: MigrationFiles): boolean {
  return files.newClean || (row.digests === null && row.kind === "migration");
}

function watching(files: MigrationFiles): Duty | undefined {
  return files.watched?.done === true ? undefined : "watch";
}

function settling({ row, files, leaseAlive }: MigrationStand): Duty | undefined {
  if (leaseAlive) return undefined;
  if (row.new_ready === 0) return "open-new";
  return files.watched?.done === true ? "settle" : undefined;
}
