import type { CopyPoint, Trio } from "./copy-changes.ts";

/** Options of a server process: JSON in its first argument. */
export interface ServerOptions extends Trio {
  /** The area; its `logs/` gets the server's log. */
  directory: string;
  host: string;
  /** Milliseconds between syncs; 5,000 for a real server. */
  syncEveryMs: number;
  /** Milliseconds between touches of the log; default 2,000. */
  touchEveryMs?: number;
  /** Milliseconds without a change of megatest.db before a sync; default: Megatest's, as in `SyncOptions`. */
  quietMs?: number;
}

/** From the test to the server. `pause-at` pauses the next sync that reaches the point; `go-on` continues it. */
export type ServerCommand =
  | { type: "pause-at"; table: string; point: CopyPoint }
  | { type: "go-on" }
  | { type: "stop" };

/** From the server to the test. `ran` is false if megatest.db was too recent to sync. */
export type ServerReport =
  | { type: "started"; refilled: boolean; log: string }
  | { type: "paused"; table: string; point: CopyPoint }
  | { type: "synced"; ran: boolean; rows: Record<string, number> }
  | { type: "failed"; message: string };
