import { readFileSync, statSync } from "node:fs";
import { openFiles } from "../area/open-files.ts";
import { userName } from "../area/user-name.ts";

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

/** The processes but this one that have locks on a database. */
export function holdersOf(file: string): Holder[] {
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
