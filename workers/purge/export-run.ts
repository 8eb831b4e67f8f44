import { closeSync, constants, fsyncSync, linkSync, lstatSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { JobsError, systemCode } from "../../shared/errors.ts";
import { syncDirectory } from "../../shared/files/sync-directory.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { isExportOf } from "./compare-export.ts";
import { assertExportFile, trustOf } from "./exports-place.ts";
import { type ExportFacts, readExport } from "./read-export.ts";
import { type Exported, writeExport } from "./write-export.ts";

/** Maximum characters of a name's part; file systems allow 255 bytes for the whole. */
const longestPart = 90;

/** Characters of the area's id in a name. */
const areaIdLength = 8;

/** An export that was compared with its run. */
export interface ComparedExport {
  path: string;
  /** As `versionOfFile` was before the comparison. */
  version: string;
}

/**
 * Exports a run into a directory, and reads the export back. One of the same content that is there already, as of a
 * job that died, is used; another file is never replaced. The export and its name are on disk when this returns.
 *
 * @throws JobsError `corrupt` if the export reads back differently; `disk-full`, `io`
 */
export async function exportRun(
  session: JobSession,
  run: Exported,
  directory: string,
): Promise<ComparedExport> {
  const name = exportName(run);
  const unfinished = join(directory, `.${name}.part`);
  let written: string | undefined;
  try {
    for (let count = 1; ; count++) {
      const path = join(directory, `${name}${count === 1 ? "" : `-${count}`}.db`);
      const version = versionOfFile(path);
      if (version !== undefined) {
        if (!(await isSameExport(session, run, path))) continue;
        // Its writer may have died before its own syncs, or may be another program.
        syncExport(path);
        syncDirectory(directory);
        return { path, version };
      }
      if (written === undefined) {
        await writeExport(session, run, unfinished);
        written = versionOfFile(unfinished) ?? "";
        await assertReadsBack(session, run, unfinished);
        session.context.failpoint("export-written");
      }
      if (!linkNew(unfinished, path)) continue;
      syncDirectory(directory);
      return { path, version: written };
    }
  } finally {
    discard(unfinished);
  }
}

/** Removes what dead jobs on this area left unfinished: while this one has the lease, no other writes there. */
export function removeUnfinished(directory: string, areaId: string): void {
  const end = `-${areaId.slice(0, areaIdLength)}.part`;
  for (const name of readdirSync(directory)) {
    const file = name.replace(/-journal$/, "");
    if (file.startsWith(".run-") && file.endsWith(end)) discard(join(directory, name));
  }
}

/** An error here would hide the job's own; what stays has no name of an export, and the next export replaces it. */
function discard(unfinished: string): void {
  try {
    rmSync(unfinished, { force: true });
  } catch {}
}

async function assertReadsBack(session: JobSession, run: Exported, path: string): Promise<void> {
  if (describesRun(readExport(path), run) && (await isExportOf(session, run, path))) return;
  throw new JobsError("corrupt", `the export of run ${run.id} reads back differently from ${path}`, {
    hint: "nothing was removed; check that file system and its disk, then run the job again",
  });
}

/** Returns true if the file is an export of the run as it is now, and an import would take it. Any other file stays. */
async function isSameExport(session: JobSession, run: Exported, path: string): Promise<boolean> {
  try {
    if (!lstatSync(path).isFile()) return false;
    const facts = readExport(assertExportFile(path, trustOf(session)));
    return describesRun(facts, run) && (await isExportOf(session, run, path));
  } catch (error) {
    if (isOfOtherFile(error)) return false;
    throw error;
  }
}

/** Opens it to read: it may be another trusted user's. */
function syncExport(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function describesRun(facts: ExportFacts, { id, target, runname, areaId }: Exported): boolean {
  return facts.id === id && facts.target === target && facts.runname === runname && facts.areaId === areaId;
}

/** Returns true if the file is no export, or cannot be read by this user; false if it may be read later. */
function isOfOtherFile(error: unknown): boolean {
  if (error instanceof JobsError) return ["bad-payload", "not-owner", "corrupt"].includes(error.code);
  return /^(SQLITE_(NOTADB|CORRUPT|ERROR|CANTOPEN|READONLY)|EACCES$)/.test(systemCode(error));
}

/** Returns what changes if a file is replaced or written to, not if it gets another name; undefined if there is none. */
export function versionOfFile(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : [stat.dev, stat.ino, stat.size, stat.mtimeNs].join();
}

/** Gives a file a second name; false if that is taken. */
function linkNew(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** `run-17-ubuntu_nfs_none-w49.1-1a2b3c4d`: characters that any file system and shell takes. */
function exportName({ id, target, runname, areaId }: Exported): string {
  const plain = (text: string) => text.replaceAll(/[^A-Za-z0-9.+=-]+/g, "_").slice(0, longestPart);
  return `run-${id}-${plain(target)}-${plain(runname)}-${areaId.slice(0, areaIdLength)}`;
}
