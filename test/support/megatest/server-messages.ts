import type { CopyPoint, Trio } from "./copy-changes.ts";

/** How a server process is started: JSON in its first argument. */
export interface ServerOptions extends Trio {
  /** The area; its `logs/` gets the server's log. */
  directory: string;
  host: string;
  /** Milliseconds between syncs; a real server's are 5,000. */
  syncEveryMs: number;
  /** Milliseconds between touches of the log; default 2,000. */
  touchEveryMs?: number;
  /** Milliseconds megatest.db must have been left alone before a sync; default Megatest's, as `SyncOptions`. */
  quietMs?: number;
}

/** From the test to the server. `pause-at` holds the next sync that comes by; `go-on` lets it go. */
export type ServerCommand =
  | { type: "pause-at"; table: string; point: CopyPoint }
  | { type: "go-on" }
  | { type: "stop" };

/** From the server to the test. `ran` is false where megatest.db was too fresh to sync. */
export type ServerReport =
  | { type: "started"; refilled: boolean; log: string }
  | { type: "paused"; table: string; point: CopyPoint }
  | { type: "synced"; ran: boolean; rows: Record<string, number> }
  | { type: "failed"; message: string };
