import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { openFiles } from "../../shared/area/open-files.ts";
import {
  assertHarmlessJournal,
  hasHotJournal,
  journalMode,
  namesAnotherFile,
  walBytes,
} from "../../shared/sqlite/journal.ts";
import type { Part } from "../open-look.ts";
import { bad, type Check, examine, good, note } from "./check.ts";
import { nameOf, type Patient } from "./patient.ts";

/** Types of file systems, as statfs tells them, that several hosts may mount: a WAL's shared memory ends at one. */
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

/** Journal modes, write-ahead logs where none may be, and journals that a dead writer left. */
export async function checkJournals({ area, files }: Patient): Promise<Check[]> {
  const checks: Check[] = [];
  // A journal may wait for the first job to make the database beside it.
  const isLeft = namesAnotherFile(`${area.completedDb}-journal`) || hasHotJournal(area.completedDb);
  const early = isLeft ? { completed: area.completedDb } : {};
  for (const [part, file] of Object.entries({ ...files, ...early }) as [Part, string][]) {
    const name = `journal/${nameOf[part]}`;
    checks.push(...(await examine(name, () => [checkJournal(name, part, file)])));
  }
  return checks;
}

function checkJournal(name: string, part: Part, file: string): Check {
  assertHarmlessJournal(file);
  if (!existsSync(file)) {
    return bad(name, `${file} is gone, and its journal is still there: every job is refused`, {
      remedy:
        "put back the completed-runs.db that it belongs to; where that is lost for good, move the journal away",
    });
  }
  const mode = journalMode(file);
  if (mode === "foreign" || (mode === "empty" && part !== "completed")) {
    return bad(name, `${file} is no SQLite database`, {
      remedy: "restore it from a backup",
      details: { code: "corrupt", databases: [{ file }] },
    });
  }
  if (mode === "empty") return note(name, "it is empty");
  const network = networkTypes.get(statfsSync(dirname(file)).type);
  const shared = part === "area" || part === "completed";
  if (mode === "wal" && (shared || network !== undefined)) {
    return bad(
      name,
      `it is in WAL mode${network === undefined ? "" : ` on ${network}`}, which hosts cannot share`,
      {
        remedy: `with everything that uses it ended: sqlite3 ${file} 'PRAGMA journal_mode = DELETE'`,
      },
    );
  }
  if (mode === "rollback" && hasWal(file)) {
    return bad(name, "a write-ahead log lies beside it, and it is not in WAL mode", {
      remedy: "see whose it is and keep a copy of both before anything opens the database",
    });
  }
  if (hasHotJournal(file)) return hot(name, file);
  return mode === "wal"
    ? good(name, `WAL, ${walBytes(file)} bytes in the log`)
    : good(name, "a rollback journal, none left over");
}

function hasWal(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function hot(name: string, file: string): Check {
  const open = openFiles([file]);
  const pids = open === "unknown" ? [] : open.pids.filter((pid) => pid !== process.pid);
  if (pids.length > 0) return note(name, `its journal is hot: process ${pids.join(", ")} is writing`);
  return bad(
    name,
    "its journal is hot and nobody here has it open: a writer died, or is at work on another host",
    {
      remedy:
        "look again; if it stays, it is rolled back by the next program that opens the database: Megatest, or a job",
    },
  );
}
