import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { builtProgram } from "../queue/built-program.ts";
import type { AcknowledgedWrite, ClientCommand, ClientOptions, ClientReport } from "./client-messages.ts";
import type { CopyPoint } from "./copy-changes.ts";
import type { ServerCommand, ServerOptions, ServerReport } from "./server-messages.ts";

/** A process of the emulation, with its reports so far. */
export interface Emulated<Command, Report extends { type: string }> {
  pid: number;
  reports: readonly Report[];
  send(command: Command): void;
  /**
   * Waits for a report of the type at or after position `from`; an earlier one counts.
   * @throws Error after the deadline, or if the process ended without it; lists the reports
   */
  next<T extends Report["type"]>(
    type: T,
    from?: number,
    deadlineMs?: number,
  ): Promise<Extract<Report, { type: T }>>;
  ended: Promise<void>;
  /** Does nothing if the process has ended. */
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
}

export interface EmulatedServer extends Emulated<ServerCommand, ServerReport> {
  /** Tells the server to pause a sync there and waits until it does. */
  pauseAt(table: string, point: CopyPoint): Promise<void>;
  goOn(): void;
  /** Waits until a complete sync that began after this call has run. */
  syncedAfresh(deadlineMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface EmulatedClient extends Emulated<ClientCommand, ClientReport> {
  /** Stops the writing; returns the number of writes and the longest wait in ms. */
  stop(): Promise<{ writes: number; longestMs: number }>;
  acknowledged(): AcknowledgedWrite[];
}

/** Starts a server process and waits until it serves. Needs the test build (`npm run build:test`). */
export async function startMegatestServer(options: ServerOptions): Promise<EmulatedServer> {
  const server = start<ServerCommand, ServerReport>("server-process", options);
  await server.next("started");
  const stop = async () => {
    server.send({ type: "stop" });
    await server.ended;
  };
  return {
    ...server,
    pauseAt: async (table, point) => {
      const from = server.reports.length;
      server.send({ type: "pause-at", table, point });
      await server.next("paused", from);
    },
    goOn: () => server.send({ type: "go-on" }),
    syncedAfresh: async (deadlineMs = 30_000) => {
      // the current sync may have read earlier; the second one to end began after this call
      let from = server.reports.length;
      for (let syncs = 0; syncs < 2; ) {
        const report = await server.next("synced", from, deadlineMs);
        from = server.reports.indexOf(report) + 1;
        if (report.ran) syncs += 1;
      }
    },
    stop,
  };
}

/** Starts a client process and waits until it writes. Needs the test build (`npm run build:test`). */
export async function startMegatestClient(options: ClientOptions): Promise<EmulatedClient> {
  const client = start<ClientCommand, ClientReport>("client-process", options);
  await client.next("started");
  return {
    ...client,
    stop: async () => {
      client.send({ type: "stop" });
      const { writes, longestMs } = await client.next("stopped");
      await client.ended;
      return { writes, longestMs };
    },
    acknowledged: () => readJournal(options.journal),
  };
}

/** A client killed during a write leaves a torn last line: that write was not acknowledged. */
export function readJournal(file: string): AcknowledgedWrite[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as AcknowledgedWrite);
}

function start<Command, Report extends { type: string }>(
  name: string,
  options: object,
): Emulated<Command, Report> {
  const child = fork(builtProgram(`test/support/megatest/${name}`), [JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const reports: Report[] = [];
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of listeners) listener();
  };
  child.on("message", (message: Report) => {
    reports.push(message);
    notify();
  });
  // the last reports may arrive after the exit: wait until the channel is drained too
  const ended = Promise.all([once(child, "close"), once(child, "disconnect")]).then(() => notify());
  const over = () => !child.connected && (child.exitCode !== null || child.signalCode !== null);
  return {
    pid: child.pid ?? -1,
    reports,
    send: (command) => void (child.connected && child.send(command as object)),
    next: (type, from = 0, deadlineMs = 30_000) => {
      const found = () => reports.slice(from).find((report) => report.type === type) as never;
      return waitFor(
        over,
        listeners,
        found,
        deadlineMs,
        () => `${name}: no "${type}" among ${JSON.stringify(reports)}`,
      );
    },
    ended,
    signal: (signal) => void child.kill(signal),
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function waitFor<T>(
  over: () => boolean,
  listeners: Set<() => void>,
  found: () => T | undefined,
  deadlineMs: number,
  story: () => string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void) => {
      clearTimeout(timer);
      listeners.delete(check);
      act();
    };
    const check = () => {
      const value = found();
      if (value !== undefined) finish(() => resolve(value));
      else if (over()) finish(() => reject(new Error(story())));
    };
    const timer = setTimeout(() => finish(() => reject(new Error(story()))), deadlineMs);
    listeners.add(check);
    check();
  });
}
