import { readdirSync, readlinkSync, statSync } from "node:fs";
import { systemCode } from "../../errors.ts";

export interface OpenFiles {
  pids: number[];
  /** Processes whose files this user may not read. */
  uninspected: { pid: number; uid: number }[];
  /** The system shows only this user's processes. */
  othersHidden: boolean;
  /** `/proc` is not the host's, as in a container: any process outside of it may have them open. */
  hostHidden: boolean;
}

/** The kernel's fixed number of the first process namespace (`PROC_PID_INIT_INO`). */
const hostNamespace = "pid:[4026531836]";

export const hostUnseen =
  "this process runs in a process namespace of its own, as in a container: processes outside of it cannot be seen";

/**
 * Returns true if `/proc` lists the processes of the host. In a process namespace of its own, as in most containers,
 * a process cannot see those outside of it, even of the same user.
 */
export function seesHostProcesses(): boolean {
  try {
    // The first is another process if /proc was mounted from another namespace.
    return (
      readlinkSync("/proc/self") === String(process.pid) &&
      readlinkSync("/proc/self/ns/pid") === hostNamespace
    );
  } catch {
    return false;
  }
}

/** Searches `/proc` by device and inode, so under any name. `"unknown"` without `/proc`. Does not see other hosts. */
export function openFiles(paths: readonly string[]): OpenFiles | "unknown" {
  const wanted = new Set(paths.map(identity).filter((id) => id !== undefined));
  const processes = listProcesses();
  if (processes === undefined) return "unknown";
  const found: OpenFiles = {
    pids: [],
    uninspected: [],
    othersHidden: statSync("/proc/1", { throwIfNoEntry: false }) === undefined,
    hostHidden: !seesHostProcesses(),
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
    if (!["EACCES", "EPERM"].includes(systemCode(error))) return "closed"; // the process ended
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
