import type { Settings } from "../../shared/settings.ts";
import type { ListenAddress } from "../listen-address.ts";
import type { RunInline, RunRepair } from "../run-inline.ts";
import type { CliIo } from "./io.ts";

/** What the commands need from the workers' side and from the process; the entry point provides it. */
export interface CliDeps {
  io: CliIo;
  version: string;
  /** Script that starts this command in another process (the demo's worker). */
  commandPath: string;
  runInline: RunInline;
  runRepair: RunRepair;
  /** Serves this host's queue until a signal; resolves when it has stopped. */
  runWorker(settings: Settings, options: { metrics?: ListenAddress | undefined }): Promise<unknown>;
}
