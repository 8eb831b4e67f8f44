import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { MigrationFiles } from "./migration-files.ts";

/** A host's next action in a migration; the step `tend` repeats it until none is left. */
export type NextAction =
  | "decide"
  | "open-old"
  | "clean-new"
  | "finish-undo"
  | "open-new"
  | "watch"
  | "settle"
  | "tidy";

/** A host's side in a migration. */
export type Side = "old" | "new";

export interface OpenMigration {
  row: MigrationRow;
  files: MigrationFiles;
  /** A step is running, or may be resumed within the hand-over time. */
  leaseAlive: boolean;
  idleMs: number;
}

export function sideOf(row: Pick<MigrationRow, "from_host" | "to_host">, host: string): Side | undefined {
  if (row.from_host === host) return "old";
  return row.to_host === host ? "new" : undefined;
}

/**
 * Returns one side's next action, from the row and files only. While a pair is open only its host writes to
 * megatest.db: so in `closing` and `undoing` only `old` changes the row, and only `new` once its pair is open.
 */
export function nextAction(migration: OpenMigration, side: Side): NextAction | undefined {
  const { row, files, leaseAlive } = migration;
  switch (row.state) {
    case "closing":
      return side === "old" && !leaseAlive ? "decide" : undefined;
    case "closed":
    case "installed":
    case "intent":
      return leaseAlive ? undefined : "decide";
    case "undoing":
      if (side === "old") return undoingOnOld(migration);
      return isNewClean(row, files) ? undefined : "clean-new";
    case "switched":
      return side === "old" ? watching(files) : settling(migration);
    case "settled":
      return side === "new" && files.there ? "tidy" : undefined;
    case "undone":
      return side === "old" && files.there ? "tidy" : undefined;
  }
}

/** How long the new home may take to clean up before the old one ends the undo, ms. */
const cleanPatienceMs = 10 * 60_000;

function undoingOnOld({ row, files, idleMs }: OpenMigration): NextAction | undefined {
  if (row.old_ready === 0) return "open-old";
  // A pair left on the new home is closed, and removed later.
  return isNewClean(row, files) || idleMs > cleanPatienceMs ? "finish-undo" : undefined;
}

/** Returns true if the new home has nothing to remove. */
export function isNewClean(row: MigrationRow, files: MigrationFiles): boolean {
  return files.newClean || (row.digests === null && row.kind === "migration");
}

function watching(files: MigrationFiles): NextAction | undefined {
  return files.watched?.done === true ? undefined : "watch";
}

function settling({ row, files, leaseAlive }: OpenMigration): NextAction | undefined {
  if (leaseAlive) return undefined;
  if (row.new_ready === 0) return "open-new";
  return files.watched?.done === true ? "settle" : undefined;
}
