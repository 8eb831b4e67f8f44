import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { Settings } from "./settings.ts";

export type { Logger } from "pino";

/**
 * The program's log: JSON lines on stderr, or coloured ones where stderr is a terminal; stdout belongs to
 * results. Written synchronously, so that the last line before an exit is not lost.
 */
export function createLog(settings: Pick<Settings, "logLevel" | "host">): Logger {
  const options = {
    level: settings.logLevel,
    base: { pid: process.pid, host: settings.host },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const lines = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, colorize: true, ignore: "pid" })
    : pino.destination({ dest: 2, sync: true });
  // A worker goes on though the disk of its log is full; there is no other place to say so.
  lines.on("error", () => {});
  return pino(options, lines);
}

/** The same log with job and area on every line (the host is on each already). */
export function jobLog(log: Logger, job: { job: string; jobId: string; area: string }): Logger {
  return log.child(job);
}
