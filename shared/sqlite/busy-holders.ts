import { readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { openFiles } from "../area/open-files.ts";
import { userName } from "../area/user-name.ts";
import { JobsError, toJobsError } from "../errors.ts";

/** A process of this host that has a lock on a database. */
export interface Holder {
  pid: number;
  /** Undefined where it has ended meanwhile, as `command`. */
  user: string | undefined;
  command: string | undefined;
  lock: "reading" | "writing";
}

/** A database that may be the one that is busy. */
export interface BusyDatabase {
  file: string;
  holders: Holder[];
}

/**
 * `toJobsError` that names, where SQLite found a database busy, which one that was and who holds it, as far as this host's kernel knows:
 * locks of other hosts on a shared file system are not seen. An error that is one of ours already says it by itself.
 *
 * @param files what was being worked on
 */
export function nameBusy(error: unknown, files: readonly string[]): JobsError {
  const mapped = toJobsError(error);
  if (mapped.code !== "busy" || mapped === error || files.length === 0) return mapped;
  if (!String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY")) return mapped;
  const all = [...new Set(files)].map((file) => ({ file, holders: holdersOf(file) }));
  const held = all.filter(({ holders }) => holders.length > 0);
  const databases = held.length > 0 ? held : all;
  return new JobsError("busy", `database is busy: ${sentence(databases)}`, {
    cause: error,
    ...(mapped.hint === undefined ? {} : { hint: mapped.hint }),
    details: { databases },
  });
}

function sentence(databases: readonly BusyDatabase[]): string {
  const held = databases.filter(({ holders }) => holders.length > 0);
  if (held.length > 0) return held.map(heldBy).join("; ");
  const files = databases.map(({ file }) => file).join(", or ");
  return `${files}; no process that can be seen on ${hostname()} holds it: one of another host may`;
}

function heldBy({ file, holders }: BusyDatabase): string {
  const each = holders.map(({ pid, user, command, lock }) => {
    const who = [command, user === undefined ? undefined : `user ${user}`].filter(
      (part) => part !== undefined,
    );
    return `process ${pid} (${who.join(", ")}) on ${hostname()}, which is ${lock}`;
  });
  return `${file} is held by ${each.join(" and ")}`;
}

/** The processes but this one that have locks on a database. */
function holdersOf(file: string): Holder[] {
  const found = new Map<number, Holder["lock"]>();
  for (const { pid, lock } of locksOn(file)) if (found.get(pid) !== "writing") found.set(pid, lock);
  // In WAL mode readers keep nobody from writing.
  for (const { pid, lock } of locksOn(`${file}-shm`)) if (lock === "writing") found.set(pid, lock);
  found.delete(process.pid);
  return [...found].map(([pid, lock]) => ({ pid, lock, ...describe(pid) }));
}

/** The kernel's list of locks: which, on what inode, by whom. Empty where there is none. */
function locksOn(file: string): { pid: number; lock: Holder["lock"] }[] {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return [];
  const locks = readList().filter(({ inode }) => inode === stat.ino);
  const here = locks.filter(({ device }) => device === deviceOf(stat.dev));
  if (here.length > 0 || locks.length === 0) return here;
  // Some file systems tell of another device there than of a file; then who has it open decides.
  const open = openFiles([file]);
  return open === "unknown" ? [] : locks.filter(({ pid }) => open.pids.includes(pid));
}

const line = /^\d+: (?:->\s*)?(?:POSIX|OFDLCK)\s+\S+\s+(READ|WRITE)\s+(\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s/;

function readList(): { pid: number; lock: Holder["lock"]; device: string; inode: bigint }[] {
  let text: string;
  try {
    text = readFileSync("/proc/locks", "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((entry) => {
    const [, kind, pid, device, inode] = line.exec(entry) ?? [];
    // 0: a process of another name space.
    if (device === undefined || inode === undefined || pid === "0") return [];
    return [
      { pid: Number(pid), lock: kind === "WRITE" ? "writing" : "reading", device, inode: BigInt(inode) },
    ];
  });
}

/** Major and minor number as that list has them. */
function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffffffffn);
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}

function describe(pid: number): Pick<Holder, "user" | "command"> {
  try {
    const user = userName(statSync(`/proc/${pid}`).uid);
    return { user, command: readFileSync(`/proc/${pid}/comm`, "utf8").trim() };
  } catch {
    return { user: undefined, command: undefined };
  }
}
