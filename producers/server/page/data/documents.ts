import type { MoveResult } from "../../../../shared/contract/move-result.ts";
import type { AreaStatusWithJobs } from "../../../contract/area.ts";
import type { FleetEvent } from "../../../contract/fleet.ts";

export type Host = FleetEvent["hosts"][number];
export type Job = FleetEvent["jobs"][number];

/** A line of the history. Any version may have written it, so that no member but `jobId` is certain. */
export interface HistoryLine extends Partial<Pick<MoveResult, "state" | "bytes">> {
  jobId: string;
  at?: string;
  job?: string;
  host?: string;
  requestedBy?: string;
  moved?: Partial<MoveResult["moved"]>;
  sides?: Record<string, { runs: number }>;
  error?: { message: string };
  policy?: string;
  schedule?: string;
}

export interface Area extends Omit<AreaStatusWithJobs, "history"> {
  history: HistoryLine[];
}

/** A reduce or a restore. */
export interface MoveJob extends Job {
  result?: MoveResult | undefined;
}
