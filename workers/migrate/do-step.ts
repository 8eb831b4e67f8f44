import type { JobContext } from "../../shared/job-context.ts";
import type { CheckReport } from "../../shared/migrate-result.ts";
import type { MigrateStepPayload } from "../../shared/queue/migrate-payload.ts";
import { check, stop } from "./check.ts";
import { type CloseReport, close } from "./close.ts";
import { type TendReport, tend } from "./tend.ts";

export type StepReport = CheckReport | CloseReport | TendReport;

export function doStep(payload: MigrateStepPayload, context: JobContext): Promise<StepReport> {
  switch (payload.step) {
    case "check":
      return check(payload, context);
    case "stop-servers":
      return stop(payload, context);
    case "close":
      return close(payload, context);
    case "tend":
      return tend(payload, context);
  }
}
