import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { openFiles } from "../area/cache/open-files.ts";
import { userName } from "../area/user-name.ts";

export interface Holder {
  pid: number;
  user: string | undefined;
  command: string | undefined;
  lock: "reading" | "writing";
}

export interface BusyDatabase {
  file: string;
  holders: Holder[];
}

/** Excludes this process. */
export function holdersOf(file: string): Holder[] {
  const found = new Map<number, Holder["lock"]>();
  for (const { pid, lock } of locksOn(file)) if (found.get(pid) !== "writing") found.set(pid, lock);
  // In WAL mode readers do not block writers.
  for (const { pid, lock } of locksOn(`${file}-shm`)) if (lock === "writing") found.set(pid, lock);
  found.delete(process.pid);
  return [...found].map(([pid, lock]) => ({ pid, lock, ...describe(pid) }));
}

/** Reads the kernel's list; empty without one. */
function locksOn(file: string): { pid: number; lock: Holder["lock"] }[] {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return [];
  const locks = readList().filter(({ inode }) => inode === stat.ino);
  const here = locks.filter(({ device }) => device === deviceOf(stat.dev));
  if (here.length > 0 || locks.length === 0) return here;
  // Some file systems report another device there than for a file; then open files decide.
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
    // 0: a process of another namespace.
    if (device === undefined || inode === undefined || pid === "0") return [];
    return [
      { pid: Number(pid), lock: kind === "WRITE" ? "writing" : "reading", device, inode: BigInt(inode) },
    ];
  });
}

/** Formats a device as in that list. */
function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn & 0xffffffffn);
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}

function describe(pid: number): Pick<Holder, "user" | "command"> {
  try {
    const user = userName(statSync(`/proc/${pid}`).uid);
    return { user, command: commandOf(pid) };
  } catch {
    return { user: undefined, command: undefined };
  }
}

/** Returns the name under which a process was started: its own name for itself may be that of its main thread. */
function commandOf(pid: number): string {
  const [first = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return basename(first) || readFileSync(`/proc/${pid}/comm`, "utf8").trim();
}
