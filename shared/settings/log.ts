import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import type { Settings } from "./settings.ts";

export type { Logger } from "pino";

/**
 * Logs JSON lines to stderr, or text to a terminal, coloured unless `NO_COLOR` is set. Synchronous, so that the last line before an exit is not
 * lost.
 */
export function createLog(
  settings: Pick<Settings, "logLevel" | "host">,
  env: NodeJS.ProcessEnv = {},
): Logger {
  const options = {
    level: settings.logLevel,
    base: { pid: process.pid, host: settings.host },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: errorForLog },
  };
  const lines = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, colorize: !env.NO_COLOR, ignore: "pid" })
    : pino.destination({ dest: 2, sync: true });
  // A worker continues if its log's disk is full.
  lines.on("error", () => {});
  return pino(options, lines);
}

/** Removes the command from an ioredis error: it may be AUTH, with the password. */
function errorForLog(error: Error): object {
  const { command: _command, ...shown } = pino.stdSerializers.err(error) as unknown as Record<
    string,
    unknown
  >;
  return shown;
}

export function jobLog(log: Logger, job: { job: string; jobId: string; area: string }): Logger {
  return log.child(job);
}
