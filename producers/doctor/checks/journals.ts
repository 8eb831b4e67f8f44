import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { hostUnseen, openFiles } from "../../../shared/area/cache/open-files.ts";
import { assertNoJournalLeft } from "../../../shared/area-db/requirements.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";
import {
  assertHarmlessJournal,
  hasHotJournal,
  journalMode,
  namesAnotherFile,
  walBytes,
} from "../../../shared/sqlite/journal.ts";
import { inWalMode } from "../../areas/open-readonly.ts";
import type { Check } from "../../contract/area.ts";
import { bad, type CheckName, examine, good, note, refused } from "./check.ts";
import { type DoctorContext, nameOf } from "./context.ts";

/** File system types in statfs that several hosts may mount. A WAL's shared memory works on one host only. */
const networkTypes = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x00c36400, "Ceph"],
]);

/** Checks journal modes, write-ahead logs of databases not in WAL mode, and journals that a dead writer left. */
export async function checkJournals({ area, files }: DoctorContext): Promise<Check[]> {
  const checks: Check[] = [];
  // completed-runs.db may have a journal while the file itself is missing.
  const isLeft = namesAnotherFile(`${area.completedDb}-journal`) || hasHotJournal(area.completedDb);
  const early = isLeft ? { completed: area.completedDb } : {};
  for (const [part, file] of Object.entries({ ...files, ...early }) as [Part, string][]) {
    const name = `journal/${nameOf[part]}` as const;
    checks.push(...(await examine(name, () => [checkJournal(name, part, file)])));
  }
  return checks;
}

function checkJournal(name: CheckName, part: Part, file: string): Check {
  assertHarmlessJournal(file);
  if (part === "completed") assertNoJournalLeft(file);
  if (!existsSync(file)) return note(name, "it has just been removed");
  const mode = journalMode(file);
  if (mode === "foreign" || (mode === "empty" && part !== "completed")) {
    return bad(name, `${file} is not a SQLite database`, {
      remedy: "restore it from a backup",
      details: { code: "corrupt", databases: [{ file }] },
    });
  }
  if (mode === "empty") return note(name, "it is empty");
  const network = networkTypes.get(statfsSync(dirname(file)).type);
  const shared = part === "area" || part === "completed";
  if (mode === "wal" && (shared || network !== undefined)) return refused(name, inWalMode(file));
  if (mode === "rollback" && hasWal(file)) {
    return bad(name, "a write-ahead log exists beside it, but it is not in WAL mode", {
      remedy: "find out whose it is, and copy both files before any program opens the database",
    });
  }
  if (hasHotJournal(file)) return hot(name, file);
  return mode === "wal"
    ? good(name, `WAL mode, ${walBytes(file)} bytes in the log`)
    : good(name, "rollback journal mode, no journal left over");
}

function hasWal(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function hot(name: CheckName, file: string): Check {
  const open = openFiles([file]);
  const pids = open === "unknown" ? [] : open.pids.filter((pid) => pid !== process.pid);
  if (pids.length > 0) return note(name, `its journal is hot: process ${pids.join(", ")} is writing`);
  const unseen = unseenBy(open, statSync(file).uid);
  if (unseen !== undefined) {
    return note(name, `its journal is hot: a writer is active, or died; ${unseen}`, {
      remedy:
        "run mtjobs doctor on the host itself, as root; if no process has it open, the next program that opens the database rolls the journal back",
    });
  }
  return bad(
    name,
    "its journal is hot, but no process on this host has it open: a writer died, or is running on another host",
    {
      remedy:
        "check again; if it persists, the next program that opens the database (Megatest or a job) rolls it back",
    },
  );
}

/** Says which processes could not be seen; undefined if all of this host's were. */
function unseenBy(open: ReturnType<typeof openFiles>, owner: number): string | undefined {
  if (open === "unknown") return "this system does not list the open files of processes";
  if (open.hostHidden) return hostUnseen;
  if (open.othersHidden) return "processes of other users are hidden here";
  const closed = open.uninspected.filter(({ uid }) => uid === owner).map(({ pid }) => pid);
  return closed.length > 0 ? `the open files of process ${closed.join(", ")} cannot be read` : undefined;
}
