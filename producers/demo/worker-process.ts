import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { JobsError } from "../../shared/errors.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { environmentName, type Settings } from "../../shared/settings/settings.ts";
import type { Session } from "../jobs/session.ts";

/** A worker in its own process, as on a real host. */
export interface WorkerProcess {
  readonly pid: number;
  /** Asks it to stop, and kills it after some seconds. May be called twice. */
  stop(): Promise<void>;
}

const startDeadline = 15_000;
const leaveDeadline = 8000;
/** Characters of its log kept for an error message. */
const logTail = 4000;

/** Starts `mtjobs worker` and waits until its host is served. */
export async function startWorker(
  session: Session,
  { commandPath, env, signal }: { commandPath: string; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<WorkerProcess> {
  const { settings } = session;
  const child = spawn(process.execPath, [commandPath, "worker"], {
    env: { ...env, ...settingsEnvironment(settings) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-logTail);
  });
  try {
    await untilServed(session, child, { signal, log: () => log });
  } catch (error) {
    await stop(child);
    throw error;
  }
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

/** Returns the settings as environment variables of another mtjobs process. */
export function settingsEnvironment(settings: Settings): NodeJS.ProcessEnv {
  const separators: Record<string, string> = { areas: ":", lockRedisUrls: "," };
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]: [string, string | string[] | undefined]) => [
      environmentName(key),
      Array.isArray(value) ? value.join(separators[key]) : (value ?? ""),
    ]),
  );
}

async function untilServed(
  { redis, settings }: Session,
  child: ChildProcess,
  { signal, log }: { signal: AbortSignal; log: () => string },
): Promise<void> {
  const deadline = performance.now() + startDeadline;
  for (;;) {
    if (signal.aborted) throw new JobsError("interrupted", "interrupted");
    const hosts = await listHosts(redis, settings.prefix);
    if (hosts.some(({ host, alive }) => host === settings.host && alive)) return;
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      throw new JobsError("no-worker", "the demo's worker did not start", {
        details: { exitCode: child.exitCode, log: log() },
        hint: log() === "" ? undefined : `its log: ${log().trim()}`,
      });
    }
    await sleep(50);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), leaveDeadline);
  await exited;
  clearTimeout(force);
}
