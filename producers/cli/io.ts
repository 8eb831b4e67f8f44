import type { Settings } from "../../shared/settings/settings.ts";
import type { RunInline, RunRepair } from "../jobs/run-inline.ts";
import type { ListenAddress } from "./options/listen-address.ts";

/** What a command sees of its process. The entry point provides it, so that nothing below reads globals. */
export interface CliIo {
  env: NodeJS.ProcessEnv;
  /** Absolute; the base of a relative AREA. */
  cwd: string;
  stdin: NodeJS.ReadStream;
  /** Receives a command's document and nothing else. */
  stdout: NodeJS.WriteStream;
  /** Receives errors, notes and the progress bar. */
  stderr: NodeJS.WriteStream;
  /** Aborted at the first SIGINT, SIGTERM or SIGHUP. */
  interrupt: AbortSignal;
}

/** What the commands need from the workers' side and from the process; the entry point provides it. */
export interface CliDeps {
  io: CliIo;
  version: string;
  /** Script that starts this command in another process (the demo's worker). */
  commandPath: string;
  runInline: RunInline;
  runRepair: RunRepair;
  /** Serves this host's queue until a signal; resolves when it has stopped. */
  runWorker(
    settings: Settings,
    options: { metrics?: ListenAddress | undefined; alone: "refuse" | "standby" },
  ): Promise<unknown>;
}
