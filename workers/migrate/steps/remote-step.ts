import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import type { CheckReport } from "../../../shared/contract/migrate-result.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { checkSource, stopServersOfArea } from "./check-source.ts";
import { type CloseReport, close } from "./close.ts";
import { type ReconcileReport, reconcile } from "./reconcile.ts";

export type RemoteStepReport = CheckReport | CloseReport | ReconcileReport;

export function runRemoteStep(payload: MigrateStepPayload, context: JobContext): Promise<RemoteStepReport> {
  switch (payload.step) {
    case "check":
      return checkSource(payload, context);
    case "stop-servers":
      return stopServersOfArea(payload, context);
    case "close":
      return close(payload, context);
    case "tend":
      return reconcile(payload, context);
  }
}
