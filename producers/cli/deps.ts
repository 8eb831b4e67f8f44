import type { Settings } from "../../shared/settings.ts";
import type { ListenAddress } from "../listen-address.ts";
import type { RunInline, RunRepair } from "../run-inline.ts";
import type { CliIo } from "./io.ts";

/** What the commands need of the workers' side and of the process; the entry point brings it. */
export interface CliDeps {
  io: CliIo;
  version: string;
  /** Script that starts this command again as another process (the demo's worker). */
  commandPath: string;
  runInline: RunInline;
  runRepair: RunRepair;
  /** Serves this host's queue until a signal; resolves when it has left. */
  runWorker(settings: Settings, options: { metrics?: ListenAddress | undefined }): Promise<unknown>;
}
