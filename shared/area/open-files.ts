import { readdirSync, statSync } from "node:fs";
import { systemCode } from "./system-code.ts";

/** Which processes of this host have one of some files open. */
export interface OpenFiles {
  pids: number[];
  /** Processes whose files this user may not see; any of them may have one open, too. */
  uninspected: { pid: number; uid: number }[];
  /** True where the system shows only our own processes at all. */
  othersHidden: boolean;
}

/**
 * Looks through `/proc` for open descriptors of the files, told apart by device and inode, so under whatever name they
 * were opened. Missing files are open nowhere. `"unknown"` on systems without `/proc`. Other hosts are not seen.
 */
export function openFiles(paths: readonly string[]): OpenFiles | "unknown" {
  const wanted = new Set(paths.map(identity).filter((id) => id !== undefined));
  const processes = listProcesses();
  if (processes === undefined) return "unknown";
  const found: OpenFiles = {
    pids: [],
    uninspected: [],
    othersHidden: statSync("/proc/1", { throwIfNoEntry: false }) === undefined,
  };
  if (wanted.size === 0) return found;
  for (const pid of processes) {
    const state = inspect(pid, wanted);
    if (state === "open") found.pids.push(pid);
    else if (state !== "closed") found.uninspected.push({ pid, uid: state.uid });
  }
  return found;
}

function listProcesses(): number[] | undefined {
  try {
    const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return names.length === 0 ? undefined : names.map(Number);
  } catch {
    return undefined;
  }
}

function inspect(pid: number, wanted: ReadonlySet<string>): "open" | "closed" | { uid: number } {
  const directory = `/proc/${pid}/fd`;
  try {
    const isOpen = readdirSync(directory).some((fd) => {
      const id = identity(`${directory}/${fd}`);
      return id !== undefined && wanted.has(id);
    });
    return isOpen ? "open" : "closed";
  } catch (error) {
    if (!["EACCES", "EPERM"].includes(systemCode(error))) return "closed"; // it ended meanwhile
    const uid = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
    return uid === undefined ? "closed" : { uid };
  }
}

function identity(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}
