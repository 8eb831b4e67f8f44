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
    serializers: { err: errorForLog },
  };
  const lines = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, colorize: true, ignore: "pid" })
    : pino.destination({ dest: 2, sync: true });
  // A worker goes on though the disk of its log is full; there is no other place to say so.
  lines.on("error", () => {});
  return pino(options, lines);
}

/** What ioredis throws holds the command, and that of a refused password is AUTH with it. */
function errorForLog(error: Error): object {
  const { command: _command, ...shown } = pino.stdSerializers.err(error) as unknown as Record<
    string,
    unknown
  >;
  return shown;
}

/** The same log with job and area on every line (the host is on each already). */
export function jobLog(log: Logger, job: { job: string; jobId: string; area: string }): Logger {
  return log.child(job);
}
