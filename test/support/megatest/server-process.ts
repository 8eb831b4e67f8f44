import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CopyPoint } from "./copy-changes.ts";
import { openAsMegatest } from "./refill.ts";
import type { ServerCommand, ServerOptions, ServerReport } from "./server-messages.ts";
import { syncOnce } from "./sync.ts";

/**
 * A Megatest server as a process: touches its log as a sign of activity, syncs repeatedly, and pauses a sync at the
 * requested point. An error ends it, as Megatest exits on an SQLite error.
 */

const options = JSON.parse(process.argv[2] ?? "{}") as ServerOptions;
let stopping = false;
let pauseAt: { table: string; point: CopyPoint } | undefined;
let wake = (): void => {};

function report(message: ServerReport): void {
  process.send?.(message);
}

function onCommand(command: ServerCommand): void {
  if (command.type === "pause-at") pauseAt = { table: command.table, point: command.point };
  if (command.type === "stop") stopping = true;
  if (command.type !== "pause-at") wake();
}

async function holdIfTold(table: string, point: CopyPoint): Promise<void> {
  if (stopping || pauseAt?.table !== table || pauseAt.point !== point) return;
  pauseAt = undefined;
  const goOn = new Promise<void>((resolve) => {
    wake = resolve;
  });
  report({ type: "paused", table, point });
  await goOn;
}

async function waitForNextSync(): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, options.syncEveryMs);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

async function serve(): Promise<void> {
  const log = join(options.directory, "logs", `server-${process.pid}-${options.host}.log`);
  const refilled = (await openAsMegatest(options)) !== null;
  writeFileSync(log, `SERVER STARTED: ${options.host}:8080 AT ${Math.floor(Date.now() / 1000)}\n`);
  const touching = setInterval(() => utimesSync(log, new Date(), new Date()), options.touchEveryMs ?? 2000);
  report({ type: "started", refilled, log });
  let lastBegunAt: number | undefined;
  while (!stopping) {
    const quiet = options.quietMs === undefined ? {} : { quietMs: options.quietMs };
    const begunAt = Date.now();
    const result = await syncOnce(options, { at: holdIfTold, lastBegunAt, ...quiet });
    if (result.ran) lastBegunAt = begunAt;
    report({ type: "synced", ...result });
    if (!stopping) await waitForNextSync();
  }
  clearInterval(touching);
}

process.on("message", onCommand);
// ends with its test
process.on("disconnect", () => process.exit());
serve().then(
  () => process.disconnect(),
  (error: unknown) => {
    report({ type: "failed", message: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    process.disconnect();
  },
);
